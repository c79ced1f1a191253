"""The ends of a variant's logs, for reports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples_utils.results.file_tail import tail

_LINES = 40
_BYTES = 4096  # of each stream


def log_tail(log_paths: Mapping[str, Any], folder: Path) -> str:
    """Returns the last lines of stdout, and of stderr below a heading; empty if there are none.

    Only files inside `folder` are read, whatever paths the record contains: the folder may have been
    moved, and a result file from elsewhere must not name arbitrary files of this machine.
    """
    out, err = (_tail(_inside(folder, log_paths.get(name))) for name in ("out", "err"))
    return f"{out}\n--- stderr ---\n{err}".lstrip() if err else out


def _inside(folder: Path, recorded: Any) -> Path | None:
    """Returns the file in the folder that matches the longest possible end of the recorded path."""
    if not isinstance(recorded, str):
        return None
    parts = Path(recorded).parts
    root = folder.resolve()
    for count in (4, 3, 2, 1):
        if len(parts) < count or ".." in parts[-count:]:
            continue
        file = folder.joinpath(*parts[-count:])
        if file.is_file() and file.resolve().is_relative_to(root):
            return file
    return None


def _tail(file: Path | None) -> str:
    lines = tail(file, _BYTES).splitlines() if file else []
    if file and len(lines) > 1 and file.stat().st_size > _BYTES:
        del lines[0]  # it is incomplete
    return "\n".join(lines[-_LINES:]).rstrip()
