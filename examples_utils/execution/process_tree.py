"""Terminates a command together with all its descendants."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from examples_utils.machine.adoption import adopted, adopts_orphans

# Every process of a command inherits this variable, so that one that left the command's process group
# and lost its parents is still recognised as part of it.
MARK = "EXAMPLES_UTILS_VARIANT_FOLDER"
GRACE_S = 5.0
_POLL_S = 0.02
# They end in milliseconds, unless the machine stalls or the kernel itself blocks them.
_AFTER_KILL_S = 30.0
# Process IDs increase and then wrap: in so short a time they cannot go through all values.
_NO_TIME_FOR_ALL_PIDS_S = 1.0


def outlived(group: int, mark: str, earlier: frozenset[int], duration_s: float) -> bool:
    """Whether any process is left of the group, or of those that left it: see `members_of`.

    It is fast, as it runs after every command. What outlives its parents is adopted; where that is not possible, the
    environments of all processes are read, or after a command of a short `duration_s` those of younger processes.
    """
    if _has_members(group) or adopted(group, earlier):
        return True
    if adopts_orphans():
        return False
    others = _other_processes()
    if duration_s < _NO_TIME_FOR_ALL_PIDS_S and _last_pid() >= group:
        others = [pid for pid in others if pid > group]
    return any(_carries(pid, mark) for pid in others)


def _last_pid() -> int:
    """Returns the ID of the youngest process (proc(5), loadavg): if it is smaller than before, IDs have wrapped."""
    try:
        with open("/proc/loadavg", "rb") as file:  # noqa: PTH123 - paths as objects take most of the time
            return int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return -1


def _other_processes() -> list[int]:
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - as above
    except OSError:  # not on Linux: only the process group is checked
        return []
    own = os.getpid()
    return [int(name) for name in names if name.isdigit() and int(name) != own]


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_all(group: int | None, mark: str, earlier: frozenset[int] = frozenset()) -> int:
    """Terminates the processes of `members_of`: SIGTERM, then SIGKILL after the grace period. Counts them.

    A Ctrl-C during the grace period ends it at once.
    """
    ended: set[int] = set()
    # Finding the members takes longer than the pauses between: a Ctrl-C mostly arrives then.
    with contextlib.suppress(KeyboardInterrupt):
        members = members_of(group, mark, earlier)
        ended |= members
        _send(members, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while members and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            members = members_of(group, mark, earlier)
            ended |= members
    deadline = time.monotonic() + _AFTER_KILL_S
    while (members := members_of(group, mark, earlier)) and time.monotonic() < deadline:
        ended |= members
        _send(members, signal.SIGKILL)
        time.sleep(_POLL_S)
    return len(ended)


def end_leftovers(log_folder: Path) -> int:
    """Terminates what a killed runner left running for a variant in this log folder."""
    return end_all(None, f"{log_folder}/")


def members_of(group: int | None, mark: str, earlier: frozenset[int]) -> set[int]:
    """Returns living processes that are in the group, adopted from it, or carry a mark with this prefix.

    Their descendants belong to them. `earlier` are the children that were adopted before the group started.
    """
    import psutil

    parents: dict[int, int] = {}
    members: set[int] = set() if group is None else adopted(group, earlier)
    own = os.getpid()
    for process in psutil.process_iter():
        if process.pid == own:
            continue
        with contextlib.suppress(psutil.Error, OSError), process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            parents[process.pid] = process.ppid()
            if (group is not None and os.getpgid(process.pid) == group) or _carries(process.pid, mark):
                members.add(process.pid)
    return members | _descendants(members, parents)


def _carries(pid: int, mark: str) -> bool:
    # The environment of another user's process cannot be read; then it is not ours.
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as environment:  # noqa: PTH123 - as above
            return f"{MARK}={mark}".encode() in environment.readall()
    except OSError:
        return False


def _descendants(members: set[int], parents: dict[int, int]) -> set[int]:
    found: set[int] = set()
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in members | found} - found - members
        found |= new
        grown = bool(new)
    return found


def _send(processes: Iterable[int], number: signal.Signals) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
