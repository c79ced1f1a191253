"""A process forked from the runner: what it does may take for ever, all memory, or end the process."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

MEMORY_LIMIT_BYTES = 4 << 30
"""What a forked process may allocate."""
_CHECK_EVERY_S = 0.1
_PIPE_BYTES = 1 << 16


class ForkedProcess:
    """Starts `work` in a process of its own, and returns its result.

    Of the runner's files, that process keeps only `kept` open; its standard streams are those of `/dev/null`.
    """

    def __init__(self, work: Callable[[], Any], kept: int | None = None) -> None:
        self._answers, answer = os.pipe()
        self._process = os.fork()
        if not self._process:
            _work(work, answer, kept)
        os.close(answer)

    def answer(self, deadline_s: float, check_interruption: Callable[[], None]) -> bytes | None:
        """Returns the pickled result; empty if the process ended without one, or None at the deadline (monotonic)."""
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        parts: list[bytes] = []
        while time.monotonic() < deadline_s:
            check_interruption()
            if poller.poll(_CHECK_EVERY_S * 1000):
                part = os.read(self._answers, _PIPE_BYTES)
                if not part:
                    return b"".join(parts)
                parts.append(part)
        return None

    def end(self, at_once: bool) -> signal.Signals | None:
        """Waits for the end of the process, or ends it; returns the signal that ended it, if one did. Called once."""
        os.close(self._answers)
        try:
            if at_once:
                os.kill(self._process, signal.SIGKILL)
            _, status = os.waitpid(self._process, 0)
        except (ProcessLookupError, ChildProcessError):  # whoever ended it has also waited for it
            return None
        return signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None


def _work(work: Callable[[], Any], answer: int, kept: int | None) -> NoReturn:
    """The life of the process."""
    try:
        _leave_the_runner({answer, kept})
        with os.fdopen(answer, "wb") as stream:
            stream.write(pickle.dumps(work()))
    finally:
        os._exit(0)


def _leave_the_runner(kept: set[int | None]) -> None:
    """Drops what a fork shares with the runner: its terminal, its lock on the log folder, its handling of signals."""
    for number in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    # The terminal sends these to the whole group; the runner decides.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - a path for each would open more
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(int(name))
    with contextlib.suppress(OSError, ValueError):  # not all systems have /proc, or this limit
        used_pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = used_pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
