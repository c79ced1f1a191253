"""Executing a plan: processes, their output, and the records made of it."""
