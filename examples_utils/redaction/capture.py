"""Captures a command's output in files, without the secrets in it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmark_parsers.lines import BLOCK_BYTES
from examples_utils.redaction.redactor import OutputRedaction, Redactor

# Limits the time between checks for the end of the command.
_MAX_BYTES_PER_COPY = 32 << 20


@dataclass(frozen=True)
class Capture:
    """Where a command writes. `copy` passes new output on to the log files, and returns whether there was any."""

    stdout: BinaryIO
    stderr: BinaryIO
    copy: Callable[[], bool]


@contextlib.contextmanager
def capture(stdout: BinaryIO, stderr: BinaryIO, folder: Path, redactor: Redactor | None) -> Iterator[Capture]:
    """Yields files for a command's output, which is in the log files `stdout` and `stderr` of `folder` at the end.

    Without a redactor these are the log files themselves. With one, the command writes to files without a name, of
    which a redacted copy is made while it runs: secrets are never in a file that remains, even if the runner is
    killed, and the command never waits for a reader.
    """
    if redactor is None:
        yield Capture(stdout, stderr, lambda: False)
        return
    with (
        tempfile.TemporaryFile(dir=folder) as raw_stdout,
        tempfile.TemporaryFile(dir=folder) as raw_stderr,
    ):
        copies = [
            _RedactedCopy(raw_stdout, stdout, redactor),
            _RedactedCopy(raw_stderr, stderr, redactor),
        ]
        try:
            yield Capture(raw_stdout, raw_stderr, lambda: sum(copy.copy() for copy in copies) > 0)
        finally:
            for copy in copies:
                copy.finish()


class _RedactedCopy:
    """Copies a growing file. The command shares its position, so it is read with pread."""

    def __init__(self, raw: BinaryIO, kept: BinaryIO, redactor: Redactor) -> None:
        self._raw, self._kept = raw, kept
        self._redaction = OutputRedaction(redactor)
        self._position = 0

    def copy(self) -> bool:
        start = self._position
        while self._position - start < _MAX_BYTES_PER_COPY:
            block = os.pread(self._raw.fileno(), BLOCK_BYTES, self._position)
            if not block:
                break
            self._position += len(block)
            self._kept.write(self._redaction.feed(block))
        self._kept.flush()
        return self._position > start

    def finish(self) -> None:
        while self.copy():
            pass
        self._kept.write(self._redaction.finish())
        self._kept.flush()
