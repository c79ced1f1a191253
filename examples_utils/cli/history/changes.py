"""`history changes`: lasting changes of each metric, and the commits that caused them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from examples_utils.comparison.changes import Change, MachineChanges
from examples_utils.comparison.text import commit_span
from examples_utils.results.tables import plain_table

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


def changes_text(machines: Sequence[MachineChanges]) -> str:
    """Returns a table for each machine."""
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
    """Returns an array of change points as objects; the cause lies after `after_commit` and up to `up_to_commit`."""
    return json.dumps(
        [_object(machine, change) for machine in machines for change in machine.changes], indent=2
    )


def _row(change: Change) -> tuple[str, ...]:
    before, after, point = change.last_before, change.first_after, change.point
    return (
        after.started_utc[:10],
        commit_span(before, after),
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
