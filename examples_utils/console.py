"""Messages of the runner: on the terminal, in console.log (the same) and in output.log (all levels, timestamped)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

from examples_utils.control_characters import escaped, escaped_output

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Console:
    """`level` is the lowest level of messages to show; output.log records every level. `redact` removes secrets."""

    def __init__(
        self, level: str = "INFO", show_child_output: bool = True, redact: Callable[[str], str] = str
    ) -> None:
        self._redact = redact
        self._level = LEVELS.index(level)
        self._show_child_output = show_child_output
        self._line_is_open = False
        self._copies: IO[str] | None = None
        self._journal: IO[str] | None = None

    def open_logs(self, folder: Path) -> None:
        """From now on, also writes everything to `console.log` and `output.log` in the folder. Raises OSError."""
        self._copies = _open_log(folder / "console.log")
        self._journal = _open_log(folder / "output.log")

    def close(self) -> None:
        """Closes the log files."""
        for file in (self._copies, self._journal):
            if file:
                with contextlib.suppress(OSError):
                    file.close()
        self._copies = self._journal = None

    def print(self, text: str) -> None:
        """Prints progress and results: always shown."""
        self._show(text)
        self._note("RESULT", text)

    def debug(self, text: str) -> None:
        """Prints details that only help to find a fault."""
        self._message("DEBUG", text)

    def info(self, text: str) -> None:
        """Prints the current step."""
        self._message("INFO", text)

    def warning(self, text: str) -> None:
        """Prints what may distort the measurements."""
        self._message("WARNING", text)

    def error(self, text: str) -> None:
        """Prints an error."""
        self._message("ERROR", text)

    def child_output(self, chunk: bytes) -> None:
        """Prints a command's output as it arrives; its variant's own files record it, not the logs."""
        if self._show_child_output and chunk:
            _write_to_terminal(escaped_output(chunk) if sys.stdout.isatty() else chunk)
            self._line_is_open = not chunk.endswith(b"\n")

    def _message(self, level: str, text: str) -> None:
        if LEVELS.index(level) >= self._level:
            self._show(text if level in ("DEBUG", "INFO") else f"{level.lower()}: {text}")
        self._note(level, text)

    def _show(self, text: str) -> None:
        text = escaped(self._redact(text))
        start = "\n" if self._line_is_open else ""
        self._line_is_open = False
        _write_to_terminal(
            f"{start}{text}\n".encode(sys.stdout.encoding or "utf-8", errors="backslashreplace")
        )
        _append(self._copies, f"{text}\n")

    def _note(self, level: str, text: str) -> None:
        text = escaped(self._redact(text))
        _append(self._journal, f"{datetime.now().isoformat(' ', 'milliseconds')} {level:8} {text}\n")


def _open_log(file: Path) -> IO[str]:
    # Not through a link, and without waiting for the reader of a FIFO.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o666)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _append(file: IO[str] | None, text: str) -> None:
    # A log that cannot be written, as on a full disk, matters less than the run.
    if file:
        with contextlib.suppress(OSError):
            file.write(text)
            file.flush()


def _write_to_terminal(data: bytes) -> None:
    sys.stdout.flush()
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        sys.stdout.write(data.decode(errors="replace"))
    else:
        stream.write(data)
        stream.flush()
