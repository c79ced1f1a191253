"""Which variants came, went or were renamed between two runs."""

from __future__ import annotations

from typing import Any

from examples_utils.history.fingerprint import machine_key
from examples_utils.history.store import History
from examples_utils.run_model import Run, VariantKey

_LOOKED_THROUGH = 50


def run_before(history: History, run: Run) -> Run | None:
    """The last one before this run of the history, of the same machine and of one of its suites; without figures."""
    suites = {key.suite for key in run.variants}
    earlier = history.runs(machine_key=machine_key(run.machine), before_run=run.run_id, limit=_LOOKED_THROUGH)
    found = next((summary for summary in earlier if suites & set(summary.suites)), None)
    return history.load([found.run_id], metrics=[], log_tails=False)[0] if found else None


def variant_changes(run: Run, before: Run | None) -> dict[str, Any]:
    """``since`` which run; ``renamed``: pairs of titles; ``new`` and ``gone``: titles. Empty without a run before.

    A new variant with the command of one that is gone is that one, renamed. Suites that the run did not run are
    left alone.
    """
    if before is None:
        return {}
    suites = {key.suite for key in run.variants}
    new = [key for key in run.variants if key not in before.variants]
    gone = [key for key in before.variants if key not in run.variants and key.suite in suites]
    by_command = {before.variants[key].command: key for key in gone if before.variants[key].command}
    renamed: dict[VariantKey, VariantKey] = {}
    for key in new:
        if old := by_command.pop(run.variants[key].command, None):
            renamed[old] = key
    return {
        "since": before.run_id,
        "renamed": [[title(old), title(key)] for old, key in renamed.items()],
        "new": [title(key) for key in new if key not in renamed.values()],
        "gone": [title(key) for key in gone if key not in renamed],
    }


def title(key: VariantKey) -> str:
    """How lists call a variant."""
    return f"{key.benchmark}::{key.variant}"
