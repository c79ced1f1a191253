"""A process forked from the runner: what it does may take for ever, all memory, or end the process."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

MEMORY_LIMIT_BYTES = 4 << 30
"""What a forked process may allocate."""
_CHECK_EVERY_S = 0.1
_PIPE_BYTES = 1 << 16
_LENGTH = struct.Struct("=Q")  # of the result, which follows


class ForkedProcess:
    """Starts `work` in a process and a process group of its own, and returns its result.

    Of the runner's files, that process keeps only `kept` open; its standard streams are those of `/dev/null`.
    """

    def __init__(self, work: Callable[[], Any], kept: int | None = None) -> None:
        self._answers, answer = os.pipe()
        self._status: int | None = None
        self._process = os.fork()
        if not self._process:
            _work(work, answer, kept)
        with contextlib.suppress(OSError):  # it has already ended
            os.setpgid(self._process, self._process)  # here, too, as `end` may come before its first step
        os.close(answer)

    def answer(self, deadline_s: float, check_interruption: Callable[[], None]) -> bytes | None:
        """Returns the pickled result; empty if the process ended without one, or None at the deadline (monotonic).

        Besides an end of the pipe, looks for that of the process: it may have closed the pipe and continue, or have
        left it to a process that it started.
        """
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        received, is_open = bytearray(), True
        while time.monotonic() < deadline_s:
            check_interruption()
            if is_open and poller.poll(_CHECK_EVERY_S * 1000):
                part = os.read(self._answers, _PIPE_BYTES)
                received += part
                is_open = bool(part)
                if _is_whole(received):
                    return bytes(received[_LENGTH.size :])
            elif self._has_ended():
                if not (is_open and poller.poll(0)):  # it may have written since
                    return b""
            elif not is_open:
                time.sleep(_CHECK_EVERY_S / 10)
        return None

    def end(self) -> int:
        """Kills the process and its group, whatever is left of them. Called once.

        Returns the exit code of the process, or the number of the signal that ended it, negated.
        """
        os.close(self._answers)
        with contextlib.suppress(ProcessLookupError, PermissionError):  # no one is left in it
            os.killpg(self._process, signal.SIGKILL)
        if self._status is None:
            with contextlib.suppress(
                ProcessLookupError, ChildProcessError
            ):  # whoever ended it has waited for it
                os.kill(self._process, signal.SIGKILL)  # it may have left its group
                _, self._status = os.waitpid(self._process, 0)
        return os.waitstatus_to_exitcode(self._status or 0)

    def _has_ended(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            process, status = os.waitpid(self._process, os.WNOHANG)
            if not process:
                return False
            self._status = status
        return True


def _is_whole(received: bytearray) -> bool:
    if len(received) < _LENGTH.size:
        return False
    (length,) = _LENGTH.unpack_from(received)
    return len(received) == _LENGTH.size + int(length)


def _work(work: Callable[[], Any], answer: int, kept: int | None) -> NoReturn:
    """The life of the process."""
    try:
        _leave_the_runner({answer, kept})
        result = pickle.dumps(work())
        with os.fdopen(answer, "wb") as stream:
            stream.write(_LENGTH.pack(len(result)) + result)
    finally:
        os._exit(0)


def _leave_the_runner(kept: set[int | None]) -> None:
    """Drops what a fork shares with the runner: its group, terminal, log folder's lock and handling of signals."""
    os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    # Whoever sends these to all processes means the runner, which decides.
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
