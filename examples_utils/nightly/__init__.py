"""A night: run, keep, judge, repeat what looks slower, report."""
