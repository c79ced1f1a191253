"""Reads runs from log folders, result files and the output of tools."""
