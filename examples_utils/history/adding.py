"""Adding what was read, and saying what has become of it."""

from __future__ import annotations

from datetime import datetime, timezone

from examples_utils.history.clocks import clock_warnings
from examples_utils.history.readers.results import Reading
from examples_utils.history.store import History
from examples_utils.run_model import Run


def add_reading(history: History, reading: Reading) -> tuple[list[str], list[str]]:
    """Adds the runs; gives a line on each, and what is to be warned of. Raises HistoryError."""
    lines = []
    warnings = [*reading.left_out, *reading.warnings]
    for run in reading.runs:
        was_there = run.run_id in history
        added = history.add(run)
        if added and not was_there:
            warnings += clock_warnings(history, run, datetime.now(timezone.utc))
        done = ("completed" if was_there else "added") if added else "there already in full"
        lines.append(f"{run.run_id}: {done}: {_described(run)}")
    return lines, warnings


def _described(run: Run) -> str:
    values = sum(len(figure.values) for figure in run.figures.values())
    commit = f", commit {run.commit[:12]}" if run.commit else ""
    counts = f"{len(run.variants)} variants, {len(run.figures)} figures ({values} values)"
    return f"{counts} of {run.started_utc[:19]}{commit}"
