"""Comparing runs: statistics are pure functions on arrays and values."""
