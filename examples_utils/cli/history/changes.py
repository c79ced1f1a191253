"""``history changes``: when each figure changed for good, and by which commits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from examples_utils.cli.history.listing import commit_text
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.selection import is_chosen, refuse_unknown
from examples_utils.comparison.statistics.change_points import Change, changes
from examples_utils.history.store import History
from examples_utils.problems import RequestError
from examples_utils.results.tables import plain_table
from examples_utils.run_model import MetricKey

_HEADER = (
    "first night",
    "commits",
    "variant",
    "metric",
    "change",
    "95% interval",
    "better",
    "started between",
)


@dataclass(frozen=True)
class Wanted:
    """Which part of a history; what is empty or None takes all. ``benchmarks`` are patterns, as of ``compare``.

    Without ``branch`` it is that of the newest run, as runs of other branches in between would look like steps.
    """

    benchmarks: Sequence[str] = ()
    metrics: Sequence[str] = ()
    suite: str | None = None
    branch: str | None = None


@dataclass(frozen=True)
class MachineChanges:
    """The change points of one machine's runs, the latest first."""

    hostname: str
    branch: str | None
    runs: int
    changes: tuple[Change, ...]


def history_changes(history: History, wanted: Wanted, options: CompareOptions) -> list[MachineChanges]:
    """The change points over the whole history, for each machine by itself, the one that ran last first.

    Raises:
        RequestError: nothing in the history is called so.
    """
    all_runs = history.runs(suite=wanted.suite, branch=wanted.branch)
    if not all_runs:
        of = "".join(
            f" of {name} {value}"
            for name, value in (("suite", wanted.suite), ("branch", wanted.branch))
            if value
        )
        raise RequestError(f"changes: {history.title} holds no run{of}; history list shows those that it has")
    # A run of no branch, such as an imported one, does not say which to look at.
    branch = next((summary.branch for summary in all_runs if summary.branch), None)
    machines: dict[str, list[str]] = {}
    for summary in all_runs:
        if summary.branch == branch:
            machines.setdefault(summary.machine_key, []).append(summary.run_id)
    found = []
    known: set[MetricKey] = set()
    for run_ids in machines.values():
        # Nothing is left out before the movement of the whole suite has been looked at.
        runs = history.load(run_ids[::-1], log_tails=False)
        known.update(key for run in runs for key in run.figures)
        chosen = [
            change
            for change in changes(runs, options)
            if is_chosen(change.key, wanted.benchmarks, wanted.metrics)
            and wanted.suite in (None, change.key.suite)
        ]
        hostname = str(runs[-1].machine.get("hostname", "an unnamed machine"))
        found.append(MachineChanges(hostname, branch, len(runs), tuple(chosen)))
    refuse_unknown(known, wanted.benchmarks, wanted.metrics, "--metric")
    return found


def changes_text(machines: Sequence[MachineChanges]) -> str:
    """For eyes: a table for each machine."""
    parts = []
    for machine in machines:
        branch = f" on branch {machine.branch}" if machine.branch else ""
        count = len(machine.changes)
        steps = f"{count or 'no'} {'change' if count == 1 else 'changes'}"
        parts.append(f"{machine.hostname}: {steps} in {machine.runs} runs{branch}")
        if machine.changes:
            parts.append(plain_table(_HEADER, [_row(change) for change in machine.changes], numeric=(4, 5)))
    return "\n\n".join(parts)


def changes_json(machines: Sequence[MachineChanges]) -> str:
    """An array of objects, one a change point; the cause lies after ``after_commit`` and up to ``up_to_commit``."""
    return json.dumps(
        [_object(machine, change) for machine in machines for change in machine.changes], indent=2
    )


def _row(change: Change) -> tuple[str, ...]:
    before, after, point = change.last_before, change.first_after, change.point
    return (
        after.started_utc[:10],
        f"{commit_text(before.commit, before.dirty)}..{commit_text(after.commit, after.dirty)}",
        change.key.variant,
        change.key.metric,
        f"{point.ratio - 1:+.1%}",
        f"{point.low - 1:+.1%} to {point.high - 1:+.1%}",
        {True: "better", False: "worse", None: ""}[change.better],
        f"{before.started_utc[:10]} and {after.started_utc[:10]}",
    )


def _object(machine: MachineChanges, change: Change) -> dict[str, Any]:
    before, after, point = change.last_before, change.first_after, change.point
    return {
        **change.key._asdict(),
        "machine": machine.hostname,
        "branch": machine.branch,
        "after_commit": before.commit,
        "up_to_commit": after.commit,
        "last_before": {"run_id": before.run_id, "started_utc": before.started_utc},
        "first_after": {"run_id": after.run_id, "started_utc": after.started_utc},
        "ratio": point.ratio,
        "low": point.low,
        "high": point.high,
        "p": point.p,
        "better": change.better,
    }
