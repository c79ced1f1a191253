"""Waiting for what a library still does after it gave back control: it would be measured with the model."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

POLL_S = 0.02
QUIET_POLLS = 3
"""So many in a row: the CPU time of children is counted in ticks of 10 ms."""

BUSY_SHARE = 0.1
"""Of one core: what wakes up now and then, as a watching thread does, is not worth waiting for."""

BOUND_S = 3.0
"""Threads that spin while they have no work do so for tenths of a second, unless they are told to spin forever."""


def settle(bound_s: float = BOUND_S) -> tuple[str, ...]:
    """Returns when this process's other threads and its children are idle; with a warning if they are not by then.

    Takes 60 ms where they are idle already.
    """
    ends_s, quiet, before = time.monotonic() + bound_s, 0, _Work()
    while quiet < QUIET_POLLS:
        time.sleep(POLL_S)
        after = _Work()
        busy = after.busy_since(before)
        quiet = 0 if busy else quiet + 1
        if busy and time.monotonic() >= ends_s:
            return (
                f"still at work {bound_s:g} s after the model was ready: {', '.join(busy)}; it takes CPU time from the "
                "measurement",
            )
        before = after
    return ()


class _Work:
    """The CPU time of this process's other threads and of its children so far, in seconds."""

    def __init__(self) -> None:
        self.clock_s = time.monotonic()
        # The kernel keeps these to the nanosecond, and those of single threads in ticks alone.
        self.threads_s = time.process_time() - time.thread_time()
        self.children_s: dict[tuple[int, str], float] = {}
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                used = child.cpu_times()
                self.children_s[child.pid, child.name()] = used.user + used.system

    def busy_since(self, before: _Work) -> list[str]:
        """What was busy, as words."""
        least_s = BUSY_SHARE * (self.clock_s - before.clock_s)
        threads = self.threads_s - before.threads_s > least_s
        children = [
            f"process {pid} ({name})"
            for (pid, name), used_s in self.children_s.items()
            if used_s - before.children_s.get((pid, name), 0.0) > least_s
        ]
        return [*(["other threads of this process"] if threads else []), *children]
