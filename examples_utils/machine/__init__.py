"""This machine: its fingerprint, its load, and its state during a run."""
