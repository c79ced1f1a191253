"""The user's cache folder, in which the driver remembers crashes and digests between runs."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """The driver's part of it, which need not exist yet.

    Raises `OSError` for a user without a home folder, such as one whom a container does not know.
    """
    try:
        folder = user_cache_path("inference-benchmarks")
    except RuntimeError as error:
        raise OSError(str(error)) from error
    if not folder.is_absolute():  # what older versions of platformdirs return
        raise OSError(f"{folder}: set HOME or XDG_CACHE_HOME")
    return folder
