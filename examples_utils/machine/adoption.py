"""Adopts the orphans of commands, so that one with a cleared environment and a session of its own is still found."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_THREADS = "/proc/self/task"
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37  # linux/prctl.h


@contextlib.contextmanager
def adopting_orphans() -> Iterator[frozenset[int]]:
    """Makes this process the new parent of its descendants' orphans for a while (prctl(2)), where Linux allows it.

    Yields the children in other sessions that it has already: they are not of the command that starts next.
    """
    before = _is_subreaper()
    _set_subreaper(True)
    earlier = frozenset(_children_in_other_sessions())
    try:
        yield earlier
    finally:
        _set_subreaper(before)


def adopts_orphans() -> bool:
    """Whether this process is the new parent of its descendants' orphans now, and the kernel lists its children."""
    return _is_subreaper() and Path(_THREADS, str(threading.get_native_id()), "children").exists()


def adopted(command: int, earlier: frozenset[int]) -> set[int]:
    """Returns living orphans of the process `command`, which leads a session of its own; lets go of those that ended.

    `earlier` are the children from before its start. A process can leave a session, but not enter one: so other
    children in other sessions are these orphans.
    """
    others = _children_in_other_sessions() - earlier - {command}
    return {pid for pid in others if not _has_ended(pid)}


def _is_subreaper() -> bool:
    found = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(found))
    return bool(found.value)


def _set_subreaper(value: bool) -> None:
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(value))


def _prctl(option: int, argument: Any) -> None:
    with contextlib.suppress(AttributeError, OSError):  # not on Linux
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


def _children_in_other_sessions() -> set[int]:
    own = os.getsid(0)
    found = set()
    for pid in _children():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) != own:
                found.add(pid)
    return found


def _children() -> set[int]:
    """Returns the children of all threads (proc(5)); none where the kernel does not list them."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(_THREADS):  # noqa: PTH208 - paths as objects take most of the time
            with contextlib.suppress(OSError), open(f"{_THREADS}/{thread}/children") as file:  # noqa: PTH123
                found |= {int(pid) for pid in file.read().split()}
    return found


def _has_ended(orphan: int) -> bool:
    """Returns whether the orphan has ended; if so, takes it from the table of processes."""
    try:
        return os.waitpid(orphan, os.WNOHANG)[0] == orphan
    except ChildProcessError:
        return True
