"""Reads a command's output in a process of its own, which a regular expression may keep busy without end.

Python's engine backtracks: `((a|a)+)$` takes years for a line of 60 characters, and nothing but the end of the process
interrupts it. Here, the runner stays free for its timeout, its signals and the display.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from benchmark_parsers.lines import BLOCK_BYTES, LineBlocks, line_blocks
from examples_utils.execution.output_reader import OutputReader, Reading

BLOCK_LIMIT_S = 5.0
"""CPU time for one block of output, which usually takes a thousandth of it."""
_RUN_LIMIT_S, _SLOWEST_BYTES_PER_S = 60.0, 4 << 20
"""Time for what is left to read when the command has ended: a minute, and more for a large output."""
_MEMORY_LIMIT_BYTES = 4 << 30
_CHECK_EVERY_S = 0.1
_ATTEMPTS = 2  # something else may end the worker; the files still hold all of the output


class OutputWorker:
    """Follows the file of stdout while it grows, then reads that of stderr, and returns the metrics."""

    def __init__(
        self, reader: OutputReader, stdout: Path, stderr: Path | None, mpi_instances: int = 1
    ) -> None:
        self._reader, self._stdout, self._stderr = reader, stdout, stderr
        self._mpi_instances = mpi_instances
        self._process: int | None = None
        self._alarm = -1

    def start(self) -> None:
        """Starts the worker, once the command has started: until there is output, it only waits."""
        if self._process is None:
            self._start()

    def wake(self) -> None:
        """Makes the worker look for new output; never blocks."""
        self.start()
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._alarm, b".")

    def finish(self, check_interruption: Callable[[], None]) -> Reading:
        """Returns what the complete output holds, or why it could not be read."""
        deadline_s = time.monotonic() + self._limit_s()
        ended_by: signal.Signals | None = None
        for _ in range(_ATTEMPTS):
            self.start()
            self._silence()
            answer = self._answer(deadline_s, check_interruption)
            ended_by = self._end(at_once=answer is None)
            if answer:
                reading: Reading | str = pickle.loads(answer)
                return self._reader.not_read(reading) if isinstance(reading, str) else reading
            if answer is None or ended_by is signal.SIGPROF:
                break
        return self._reader.not_read(_why_not(ended_by))

    def _limit_s(self) -> float:
        files = [file for file in (self._stdout, self._stderr) if file and file.is_file()]
        return _RUN_LIMIT_S + sum(file.stat().st_size for file in files) / _SLOWEST_BYTES_PER_S

    def close(self) -> None:
        """Ends the worker, if it has not ended."""
        self._silence()
        self._end(at_once=True)

    def _silence(self) -> None:
        """Announces the end of the output."""
        if self._alarm >= 0:
            os.close(self._alarm)
            self._alarm = -1

    def _start(self) -> None:
        woken, self._alarm = os.pipe()
        self._answers, answer = os.pipe()
        os.set_blocking(self._alarm, False)
        self._process = os.fork()
        if not self._process:
            self._work(woken, answer)
        os.close(woken)
        os.close(answer)

    def _answer(self, deadline_s: float, check_interruption: Callable[[], None]) -> bytes | None:
        """Returns the worker's answer; empty if it ended without one, or None if it took too long."""
        poller = select.poll()
        poller.register(self._answers, select.POLLIN)
        parts: list[bytes] = []
        while time.monotonic() < deadline_s:
            check_interruption()
            if poller.poll(_CHECK_EVERY_S * 1000):
                part = os.read(self._answers, BLOCK_BYTES)
                if not part:
                    return b"".join(parts)
                parts.append(part)
        return None

    def _end(self, at_once: bool) -> signal.Signals | None:
        """Waits for the end of the process, or ends it, and returns the signal that ended it, if one did."""
        if self._process is None:
            return None
        os.close(self._answers)
        process, self._process = self._process, None
        try:
            if at_once:
                os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):  # whoever ended it has also waited for it
            return None
        return signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None

    def _work(self, woken: int, answer: int) -> NoReturn:
        """The life of the worker."""
        try:
            _leave_the_runner(woken, answer)
            with os.fdopen(answer, "wb") as stream:
                stream.write(pickle.dumps(self._reading(woken)))
        finally:
            os._exit(0)

    def _reading(self, woken: int) -> Reading | str:
        """Returns the answer of the worker: what it has read, or why it could not."""
        try:
            for block in self._blocks(woken):
                _restart_limit(BLOCK_LIMIT_S)
                self._reader.feed(block)
            _restart_limit(_RUN_LIMIT_S)  # some parsers do all of their work at the end
            return self._reader.read(self._mpi_instances)
        except MemoryError:
            return f"reading the output took more than {_MEMORY_LIMIT_BYTES >> 30} GiB of memory"
        except OSError as error:
            return f"the output cannot be read: {error}"

    def _blocks(self, woken: int) -> Iterator[str]:
        blocks = LineBlocks()
        with contextlib.ExitStack() as stack:
            stream = None
            is_complete = False
            while not is_complete:
                is_complete = not os.read(woken, BLOCK_BYTES)
                if stream is None and self._stdout.is_file():
                    stream = stack.enter_context(self._stdout.open("rb"))
                while stream and (chunk := stream.read(BLOCK_BYTES)):
                    if block := blocks.feed(chunk):
                        yield block
        if block := blocks.finish():
            yield block
        if self._stderr and self._stderr.is_file():  # a command may have put a FIFO in its place
            yield from line_blocks(self._stderr)


def _leave_the_runner(woken: int, answer: int) -> None:
    """Drops what a fork shares with the runner: its terminal, its lock on the log folder, its handling of signals."""
    for number in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(
            number, signal.SIG_IGN
        )  # the terminal sends them to the whole group; the runner decides
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - a path for each would open more
        if int(name) > 2 and int(name) not in (woken, answer):
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(int(name))
    with contextlib.suppress(OSError, ValueError):  # not all systems have /proc, or this limit
        used_pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = used_pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY_LIMIT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _restart_limit(cpu_s: float) -> None:
    # Its signal ends the process, also within the engine of regular expressions.
    signal.setitimer(signal.ITIMER_PROF, cpu_s)


def _why_not(ended_by: signal.Signals | None) -> str:
    if ended_by is signal.SIGPROF:
        limit = f"more than {BLOCK_LIMIT_S:g} s for {BLOCK_BYTES >> 10} KiB of output"
        return f"a regexp or the parser took {limit}: write a regexp that cannot match in many ways"
    if ended_by is signal.SIGKILL:
        return (
            f"reading the output took more than {_RUN_LIMIT_S:g} s after the command had ended, or was killed"
        )
    return f"the process that reads the output ended: {ended_by.name if ended_by else 'its exit code was 0'}"
