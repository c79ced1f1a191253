"""This machine: what it is, how busy it is, and how it fares during a run."""
