"""Two revisions of a checkout against each other, on one machine, by turns."""
