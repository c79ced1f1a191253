"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.patience import HANG_S


def wait_until(happened: Callable[[], bool]) -> None:
    """Returns as soon as it has happened; fails if it hangs."""
    deadline = time.monotonic() + HANG_S
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
