"""Recognises image files by their names."""

from pathlib import PurePath

LABELS_FILE = "labels.csv"
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})


def is_image_name(name: str) -> bool:
    return not name.startswith(".") and PurePath(name).suffix.lower() in SUFFIXES


def printable(text: str) -> str:
    """Shows control characters, which names of files may contain, as text: a terminal would obey them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
