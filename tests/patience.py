"""How long tests wait for an event before they fail."""

HANG_S = 300.0
"""Ends only what hangs: a busy machine may stall for tens of seconds. What must end earlier lasts longer than this."""
