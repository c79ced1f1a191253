"""Clocks that were set back, or run ahead: told, as runs are ordered by them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from examples_utils.history.fingerprint import machine_key
from examples_utils.history.store import History
from examples_utils.run_model import Run

_TOLERANCE = timedelta(minutes=1)  # clocks of two machines never agree altogether


def clock_warnings(history: History, run: Run, now: datetime) -> Iterator[str]:
    """What is odd about when a run that was just added says it started; ``now`` is the clock of this machine."""
    started = datetime.fromisoformat(run.started_utc)
    if started > now + _TOLERANCE:
        yield (
            f"run {run.run_id} says that it started at {run.started_utc}, which is yet to come: one of the clocks is "
            f"wrong. It is ordered as if it had started when it was added"
        )
    newest = history.runs(machine_key=machine_key(run.machine), limit=1)
    if newest and newest[0].run_id != run.run_id:
        later = f"{newest[0].run_id} ({newest[0].started_utc})"
        yield (
            f"run {run.run_id} started at {run.started_utc}, before {later} of the same machine: it was added late, or "
            f"the clock was set back. Runs are ordered by their start"
        )
