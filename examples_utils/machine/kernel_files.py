"""Reads the small text files of `/proc` and `/sys`, any of which may be absent or unreadable."""

from __future__ import annotations

import re
from pathlib import Path


def text_of(file: Path) -> str:
    """Returns the content without surrounding blanks and NULs; empty if it cannot be read.

    Reading may fail although the file exists, such as that of a kernel without pressure stall information.
    """
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip("\0 \t\r\n")
    except OSError:
        return ""


def number_in(pattern: str, file: Path) -> int | None:
    """Returns the group of the first match, in which `^` and `$` are those of a line; None without a match."""
    match = re.search(pattern, text_of(file), re.MULTILINE)
    return int(match[1]) if match else None
