"""Precision and recall of `history changes` on series with known changes (`make bench-histories`)."""
