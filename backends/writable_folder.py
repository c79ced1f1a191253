"""Folders that files are written to at the end of a run: tried before anything costly is done."""

from __future__ import annotations

import secrets
from pathlib import Path


def make_writable(folder: Path) -> None:
    """Makes `folder` if need be, and a file in it, which is gone again. Raises `OSError` where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{secrets.token_hex(8)}.partial"
    probe.touch(exist_ok=False)
    probe.unlink()
