"""The end of what a command printed."""

from __future__ import annotations

from pathlib import Path


def tail(file: Path, size: int) -> str:
    """The last ``size`` bytes of a file as text; empty if it cannot be read."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(file.stat().st_size - size, 0))
            return stream.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
