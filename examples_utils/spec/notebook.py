"""A notebook that an entry executes instead of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Notebook:
    """A notebook and the folder in which it runs. `timeout_s` limits each of its cells."""

    file: Path
    working_directory: Path
    timeout_s: float | None = None


def notebook_of(given: str | Mapping[str, Any] | None, folder: Path) -> Notebook | None:
    """Returns the notebook of an entry, by its path or its mapping; paths are relative to the entry's folder.

    As the command of any entry, it runs in that folder, unless it names another `working_directory`.
    """
    if given is None:
        return None
    if isinstance(given, str):
        given = {"file": given}
    working_directory = folder / given.get("working_directory", "")
    return Notebook(folder / given["file"], working_directory, given.get("timeout"))
