"""Comparing two revisions of a checkout on one machine, run alternately."""
