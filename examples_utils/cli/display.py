"""Standard output and standard error of the runner: a display that fails never stops the work."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO


class Display(io.RawIOBase):
    """Writes to a file descriptor. After an error, `error` is set, and what is written is dropped."""

    def __init__(self, descriptor: int, error: OSError | None = None) -> None:
        self._descriptor, self.error = descriptor, error

    def writable(self) -> bool:
        """Returns True, as io.RawIOBase requires."""
        return True

    def fileno(self) -> int:
        """Returns the file descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Returns whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        """Writes some of the data; returns how much."""
        while not self.error:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
        return len(data)


@contextlib.contextmanager
def displays() -> Iterator[Display | None]:
    """Replaces stdout and stderr, where they are those of the process; yields the new stdout's.

    A descriptor that is closed, as after `>&-`, is opened on /dev/null: the next file would get its number, and what
    commands print.
    """
    closed = _open_closed_descriptors()
    before = sys.stdout, sys.stderr
    display = None
    if sys.stdout is sys.__stdout__:
        display = Display(1, OSError(errno.EBADF, os.strerror(errno.EBADF)) if 1 in closed else None)
        sys.stdout = _text(display, sys.stdout)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(Display(2), sys.stderr, line_buffering=True)
    try:
        yield display
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


def _open_closed_descriptors() -> list[int]:
    closed = []
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            closed.append(descriptor)
    return closed


def _text(display: Display, replaced: TextIO | None, line_buffering: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(display),  # type: ignore[type-var]
        encoding=(replaced and replaced.encoding) or "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering or display.isatty(),
    )
