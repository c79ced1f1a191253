"""Checks, before anything costly is done, folders to which a run writes at its end."""

from __future__ import annotations

import secrets
from pathlib import Path

from backends.base import BackendError


def make_writable(folder: Path, flag: str, otherwise: str = "") -> None:
    """Creates the folder that `flag` names if needed, and a temporary file in it.

    Raises `BackendError`, naming the flag, if either fails; `otherwise` is added to the remedy.
    """
    probe = folder / f".{secrets.token_hex(8)}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise BackendError(
            f"{flag} {folder}: cannot be written to ({error.strerror or error}); "
            f"give a folder that you may write to{otherwise}"
        ) from None
