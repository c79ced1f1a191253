"""Follows a command's output while it is written: shows it and parses it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from benchmark_parsers.lines import BLOCK_BYTES, LineBlocks, line_blocks
from examples_utils.console import Console
from examples_utils.execution.output_reader import OutputReader
from examples_utils.execution.process import STDERR, STDOUT

# Limits the time between checks for interruptions and the end of the command.
_MAX_BYTES_PER_READ = 32 << 20


class Follower:
    """Shows and parses a command's output while it is written; memory does not grow with the output."""

    def __init__(
        self,
        folder: Path,
        reader: OutputReader,
        console: Console,
        check_interruption: Callable[[], None],
        trace_period_s: float | None,
    ) -> None:
        self._folder, self._reader, self._console = folder, reader, console
        self._check_interruption, self._trace_period_s = check_interruption, trace_period_s
        self._blocks = LineBlocks()
        self._stdout = _Tail(folder / STDOUT)
        self._stderr = _Tail(folder / STDERR)
        self._started_s = self._traced_s = time.monotonic()

    def look(self) -> bool:
        """Processes new output; returns whether there was any."""
        self._check_interruption()
        self._trace()
        return self._take(_MAX_BYTES_PER_READ)

    def finish(self) -> None:
        """Processes the rest of stdout, then stderr, which counts after it."""
        while self._take(_MAX_BYTES_PER_READ):
            pass
        self._parse(self._blocks.finish())
        self._stdout.close()
        self._stderr.close()
        for block in line_blocks(self._folder / STDERR):
            self._parse(block)

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
                self._parse(self._blocks.feed(out))
        return taken > 0

    def _parse(self, block: str) -> None:
        if block:
            self._reader.feed(block)

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
            try:
                self._descriptor = os.open(self._file, os.O_RDONLY)
            except FileNotFoundError:
                return b""
        return os.read(self._descriptor, BLOCK_BYTES)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
