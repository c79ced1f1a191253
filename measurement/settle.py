"""Waits for background work of libraries to end, as it would otherwise be measured with the model."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

POLL_S = 0.02
QUIET_POLLS = 3
"""Consecutive polls: the CPU time of children is counted in ticks of 10 ms."""

BUSY_SHARE = 0.1
"""Of one core: threads that wake up occasionally, such as a watchdog, are not worth waiting for."""

TASKS = Path("/proc/self/task")

BOUND_S = 3.0
"""Idle threads spin for tenths of a second, unless they are configured to spin forever."""


def settle(bound_s: float = BOUND_S) -> tuple[str, ...]:
    """Waits until this process's other threads and its children are idle. Returns a warning after `bound_s`.

    Takes 60 ms if they are already idle.
    """
    ends_s, quiet, before = time.monotonic() + bound_s, 0, _Work()
    while quiet < QUIET_POLLS:
        time.sleep(POLL_S)
        after = _Work()
        busy = after.busy_since(before)
        quiet = 0 if busy else quiet + 1
        if busy and time.monotonic() >= ends_s:
            return (
                f"still busy {bound_s:g} s after the model was ready: {', '.join(busy)}; this takes CPU time from the "
                "measurement",
            )
        before = after
    return ()


class _Work:
    """The CPU time of this process's other threads and of its children so far, in seconds, and which can run now.

    On a busy machine, a thread that can run may get no CPU time between two polls.
    """

    def __init__(self) -> None:
        self.clock_s = time.monotonic()
        # The kernel counts these in nanoseconds, and those of single threads only in ticks.
        self.threads_s = time.process_time() - time.thread_time()
        self.thread_can_run = _another_thread_can_run()
        self.children_s: dict[tuple[int, str], float] = {}
        self.children_that_can_run: set[int] = set()
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                used = child.cpu_times()
                self.children_s[child.pid, child.name()] = used.user + used.system
                if child.status() == psutil.STATUS_RUNNING:
                    self.children_that_can_run.add(child.pid)

    def busy_since(self, before: _Work) -> list[str]:
        """Descriptions of what was busy."""
        least_s = BUSY_SHARE * (self.clock_s - before.clock_s)
        threads = self.thread_can_run or self.threads_s - before.threads_s > least_s
        children = [
            f"process {pid} ({name})"
            for (pid, name), used_s in self.children_s.items()
            if pid in self.children_that_can_run or used_s - before.children_s.get((pid, name), 0.0) > least_s
        ]
        return [*(["other threads of this process"] if threads else []), *children]


def _another_thread_can_run() -> bool:
    """Whether another thread of this process is running or waiting for a core; False if unknown."""
    own = str(threading.get_native_id())
    for task in TASKS.iterdir() if TASKS.is_dir() else ():
        if task.name != own:
            with suppress(OSError):  # the thread has ended
                # The state follows the name, which is in parentheses and may contain any character.
                if (task / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "R":
                    return True
    return False
