"""A night: run, store, compare, rerun suspects, report."""
