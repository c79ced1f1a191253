"""A notebook that an entry executes instead of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Notebook:
    """A notebook and the folder in which it runs, as written: relative to the folder of its entry.

    `timeout_s` limits each of its cells.
    """

    file: str
    working_directory: str = ""
    timeout_s: float | None = None


def notebook_of(given: str | Mapping[str, Any] | None) -> Notebook | None:
    """Returns the notebook of an entry, by its path or its mapping.

    As the command of any entry, it runs in the entry's folder, unless it names another `working_directory`.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return Notebook(given)
    return Notebook(given["file"], given.get("working_directory", ""), given.get("timeout"))
