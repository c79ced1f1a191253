"""Follows a command's output while it is written: shows it, and wakes the worker that reads it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmark_parsers.lines import BLOCK_BYTES
from examples_utils.console import Console
from examples_utils.execution.output_worker import OutputWorker
from examples_utils.execution.process import STDERR, STDOUT
from examples_utils.results.file_tail import open_to_read

# Limits the time between checks for interruptions and the end of the command.
_MAX_BYTES_PER_READ = 32 << 20


class Follower:
    """Shows a command's output while it is written; memory does not grow with the output."""

    def __init__(
        self,
        folder: Path,
        worker: OutputWorker,
        console: Console,
        check_interruption: Callable[[], None],
        trace_period_s: float | None,
    ) -> None:
        self._worker, self._console = worker, console
        self._check_interruption, self._trace_period_s = check_interruption, trace_period_s
        self._stdout = _Tail(folder / STDOUT)
        self._stderr = _Tail(folder / STDERR)
        self._started_s = self._traced_s = time.monotonic()

    def look(self) -> bool:
        """Processes new output; returns whether there was any."""
        self._check_interruption()
        self._worker.start()
        self._trace()
        return self._take(_MAX_BYTES_PER_READ)

    def finish(self) -> None:
        """Processes the rest."""
        while self._take(_MAX_BYTES_PER_READ):
            pass
        self._stdout.close()
        self._stderr.close()

    def _take(self, most_bytes: int) -> bool:
        taken = 0
        while taken < most_bytes:
            out, err = self._stdout.read(), self._stderr.read()
            if not (out or err):
                break
            taken += len(out) + len(err)
            self._console.child_output(out)
            self._console.child_output(err)
            if out:
                self._worker.wake()
        return taken > 0

    def _trace(self) -> None:
        period_s, now_s = self._trace_period_s, time.monotonic()
        if period_s is not None and now_s - self._traced_s >= period_s:
            self._traced_s = now_s
            self._console.print(f"    still running after {now_s - self._started_s:.0f} s")


class _Tail:
    """Reads a growing file from its last position; the file may not exist yet."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor: int | None = None

    def read(self) -> bytes:
        if self._descriptor is None:
            self._descriptor = open_to_read(self._file)
        if self._descriptor is None:
            return b""
        return os.read(self._descriptor, BLOCK_BYTES)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
