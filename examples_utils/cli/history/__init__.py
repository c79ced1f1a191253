"""``history``: one file for each of its larger commands."""
