"""Defers Ctrl-C, SIGTERM and their like to a safe point between two steps, never in the middle of writing a result."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interrupted(Exception):
    """The run was asked to stop; `exitcode` is what a shell expects (130 for Ctrl-C)."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exitcode = 128 + number


class Interruption:
    """Records the first signal. A second one raises KeyboardInterrupt at once."""

    def __init__(self) -> None:
        self._number: int | None = None

    def check(self) -> None:
        """Raises Interrupted if a signal has arrived."""
        if self._number is not None:
            raise Interrupted(self._number)

    @contextlib.contextmanager
    def catching(self) -> Iterator[None]:
        """Catches the signals inside the with block, except those that are ignored, as nohup ignores SIGHUP."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        caught = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
        for number in caught:
            signal.signal(number, self._note)
        try:
            yield
        finally:
            for number in caught:
                signal.signal(number, before[number])

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._number is not None:
            raise KeyboardInterrupt
        self._number = number
