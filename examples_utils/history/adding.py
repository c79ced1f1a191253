"""Adds what was read to the history, and reports the result."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from examples_utils.history.fingerprint import machine_key
from examples_utils.history.readers.results import Reading
from examples_utils.history.store import History
from examples_utils.run_model import Run

_TOLERANCE = timedelta(minutes=1)  # clocks of two machines never agree exactly


def add_reading(history: History, reading: Reading) -> tuple[list[str], list[str]]:
    """Adds the runs; returns one line per run, and warnings. Raises HistoryError."""
    lines = []
    warnings = [*reading.left_out, *reading.warnings]
    for run in reading.runs:
        was_there = run.run_id in history
        added = history.add(run)
        if added and not was_there:
            warnings += _clock_warnings(history, run, datetime.now(timezone.utc))
        done = ("completed" if was_there else "added") if added else "already complete"
        lines.append(f"{run.run_id}: {done}: {_described(run)}")
    return lines, warnings


def _clock_warnings(history: History, run: Run, now: datetime) -> Iterator[str]:
    """Yields a warning if the start of an added run is implausible; `now` is the clock of this machine."""
    started = datetime.fromisoformat(run.started_utc)
    if started > now + _TOLERANCE:
        yield (
            f"run {run.run_id} started at {run.started_utc}, which is in the future: one of the clocks is "
            f"wrong. It is ordered as if it had started when it was added"
        )
    newest = history.runs(machine_key=machine_key(run.machine), limit=1)
    if newest and newest[0].run_id != run.run_id:
        later = f"{newest[0].run_id} ({newest[0].started_utc})"
        yield (
            f"run {run.run_id} started at {run.started_utc}, before {later} of the same machine: it was added late, or "
            f"the clock was set back. Runs are ordered by their start"
        )


def _described(run: Run) -> str:
    values = sum(len(metric.values) for metric in run.metrics.values())
    commit = f", commit {run.commit[:12]}" if run.commit else ""
    counts = f"{len(run.variants)} variants, {len(run.metrics)} metrics ({values} values)"
    return f"{counts} of {run.started_utc[:19]}{commit}"
