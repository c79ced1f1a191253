"""Recorded machines: descriptions, and the trees of `/proc` and `/sys` that are written from them."""
