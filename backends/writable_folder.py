"""Checks, before anything costly is done, folders to which a run writes at its end."""

from __future__ import annotations

import secrets
from pathlib import Path


def make_writable(folder: Path) -> None:
    """Creates `folder` if needed, and a temporary file in it. Raises `OSError` if either fails."""
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".{secrets.token_hex(8)}.partial"
    probe.touch(exist_ok=False)
    probe.unlink()
