"""Runs of many processes: who started them, how they find each other, talk, and end together."""
