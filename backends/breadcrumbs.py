"""Breadcrumbs: a log of what a process does inside an engine, which its parent reads if the engine crashes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BREADCRUMBS = "BENCHMARK_BREADCRUMBS"
"""The environment variable with the path of the breadcrumbs file; without it, none are written."""


@dataclass(frozen=True)
class Breadcrumb:
    """`engine` is a backend's name, `phase` a participle such as "compiling", `subject` a key of what is measured.

    Fields that have not been written are empty.
    """

    engine: str = ""
    phase: str = ""
    device: str = ""
    subject: str = ""


def leave_breadcrumb(**found: str) -> None:
    """Appends the given fields of this process's `Breadcrumb`; each is valid until it is written again.

    Writes with one system call, outside all timed regions. Ignores a file that cannot be written, rather than end a
    measurement: the message about a crash is then less precise.
    """
    path = os.environ.get(BREADCRUMBS)
    if path is None:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    try:
        os.write(descriptor, json.dumps({"pid": os.getpid(), **found}).encode() + b"\n")
    except OSError:
        return
    finally:
        os.close(descriptor)


def read_breadcrumb(pid: int) -> Breadcrumb:
    """The last fields that the process `pid` wrote to the file that it shares with this process."""
    fields: dict[str, Any] = {}
    for found in _lines(os.environ.get(BREADCRUMBS)):
        if found.pop("pid") == pid:
            fields |= found
    return Breadcrumb(**fields)


def _lines(path: str | None) -> Iterator[dict[str, Any]]:
    try:
        lines = Path(path).read_text("utf-8").splitlines() if path else []
    except OSError:
        return
    for line in lines:
        if line.endswith("}"):  # not cut short by a full disk
            yield json.loads(line)
