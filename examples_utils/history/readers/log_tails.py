"""The ends of a variant's logs: what a report shows of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_LINES = 40
_BYTES = 4096  # of each stream


def log_tail(log_paths: Mapping[str, Any], folder: Path) -> str:
    """The last lines of stdout, and of stderr below a line that says so; empty where there are none.

    The files are looked for inside ``folder`` alone, wherever the run said that they are: the folder may have been
    moved, and a result file from elsewhere must not name any file of this machine.
    """
    out, err = (_tail(_inside(folder, log_paths.get(name))) for name in ("out", "err"))
    return f"{out}\n--- stderr ---\n{err}".lstrip() if err else out


def _inside(folder: Path, told: Any) -> Path | None:
    """The file in the folder whose path ends as the one that was told, from the longest possible end on."""
    if not isinstance(told, str):
        return None
    parts = Path(told).parts
    root = folder.resolve()
    for count in (4, 3, 2, 1):
        if len(parts) < count or ".." in parts[-count:]:
            continue
        file = folder.joinpath(*parts[-count:])
        if file.is_file() and file.resolve().is_relative_to(root):
            return file
    return None


def _tail(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _BYTES))
            text = stream.read(_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = text.splitlines()
    if size > _BYTES and len(lines) > 1:
        del lines[0]  # it is cut off
    return "\n".join(lines[-_LINES:]).rstrip()
