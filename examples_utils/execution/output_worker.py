"""Reads a command's output in a process of its own, which a regular expression may keep busy without end.

Python's engine backtracks: `((a|a)+)$` takes years for a line of 60 characters, and nothing but the end of the process
interrupts it. Here, the runner stays free for its timeout, its signals and the display.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark_parsers.lines import BLOCK_BYTES, LineBlocks, line_blocks
from examples_utils.execution.forks.forked_process import MEMORY_LIMIT_BYTES, ForkedProcess
from examples_utils.execution.output_reader import OutputReader, Reading
from examples_utils.results.exit_status import exit_text

BLOCK_LIMIT_S = 5.0
"""CPU time for one block of output, which usually takes a thousandth of it."""
_RUN_LIMIT_S, _SLOWEST_BYTES_PER_S = 60.0, 4 << 20
"""Time for what is left to read when the command has ended: a minute, and more for a large output."""
_ATTEMPTS = 2  # something else may end the worker; the files still hold all of the output


class OutputWorker:
    """Follows the file of stdout while it grows, then reads that of stderr, and returns the metrics."""

    def __init__(
        self, reader: OutputReader, stdout: Path, stderr: Path | None, mpi_instances: int = 1
    ) -> None:
        self._reader, self._stdout, self._stderr = reader, stdout, stderr
        self._mpi_instances = mpi_instances
        self._process: ForkedProcess | None = None
        self._alarm = -1

    def start(self) -> ForkedProcess:
        """Starts the worker, once the command has started: until there is output, it only waits."""
        if self._process is None:
            self._process = self._started()
        return self._process

    def wake(self) -> None:
        """Makes the worker look for new output; never blocks."""
        self.start()
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._alarm, b".")

    def finish(self, check_interruption: Callable[[], None]) -> Reading:
        """Returns what the complete output holds, or why it could not be read."""
        deadline_s = time.monotonic() + self._limit_s()
        exitcode = 0
        for _ in range(_ATTEMPTS):
            process = self.start()
            self._silence()
            answer = process.answer(deadline_s, check_interruption)
            exitcode, self._process = process.end(), None
            if answer:
                reading: Reading | str = pickle.loads(answer)
                return self._reader.not_read(reading) if isinstance(reading, str) else reading
            if answer is None or exitcode == -signal.SIGPROF:
                break
        return self._reader.not_read(_why_not(exitcode))

    def _limit_s(self) -> float:
        files = [file for file in (self._stdout, self._stderr) if file and file.is_file()]
        return _RUN_LIMIT_S + sum(file.stat().st_size for file in files) / _SLOWEST_BYTES_PER_S

    def close(self) -> None:
        """Ends the worker, if it has not ended."""
        self._silence()
        if self._process:
            self._process.end()
            self._process = None

    def _silence(self) -> None:
        """Announces the end of the output."""
        if self._alarm >= 0:
            os.close(self._alarm)
            self._alarm = -1

    def _started(self) -> ForkedProcess:
        woken, self._alarm = os.pipe()
        os.set_blocking(self._alarm, False)
        process = ForkedProcess(lambda: self._reading(woken), kept=woken)
        os.close(woken)
        return process

    def _reading(self, woken: int) -> Reading | str:
        """Returns the answer of the worker: what it has read, or why it could not."""
        try:
            for block in self._blocks(woken):
                _restart_limit(BLOCK_LIMIT_S)
                self._reader.feed(block)
            _restart_limit(_RUN_LIMIT_S)  # some parsers do all of their work at the end
            return self._reader.read(self._mpi_instances)
        except MemoryError:
            return f"reading the output took more than {MEMORY_LIMIT_BYTES >> 30} GiB of memory"
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


def _restart_limit(cpu_s: float) -> None:
    # Its signal ends the process, also within the engine of regular expressions.
    signal.setitimer(signal.ITIMER_PROF, cpu_s)


def _why_not(exitcode: int) -> str:
    if exitcode == -signal.SIGPROF:
        limit = f"more than {BLOCK_LIMIT_S:g} s for {BLOCK_BYTES >> 10} KiB of output"
        return f"a regexp or the parser took {limit}: write a regexp that cannot match in many ways"
    if exitcode == -signal.SIGKILL:
        return (
            f"reading the output took more than {_RUN_LIMIT_S:g} s after the command had ended, or was killed"
        )
    return f"the process that reads the output {exit_text(exitcode)}"
