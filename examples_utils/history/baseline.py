"""The baseline: the earlier nights that this one is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from examples_utils.history.fingerprint import differing_hardware, may_be_same
from examples_utils.history.store import History, RunSummary
from examples_utils.run_model import Run


@dataclass(frozen=True)
class Tonight:
    """Properties that an earlier run must share. `branch` and `dirty` are None outside git.

    `variants` is tonight's number of variants: runs of far fewer are not nights, but partial runs. `machine` are
    the facts behind the key, for messages.
    """

    machine_key: str
    suites: frozenset[str]
    branch: str | None = None
    dirty: bool | None = None
    variants: int = 0
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """The earlier nights, oldest first. `left_out` gives reasons for omitted ones, `wanted` is the requested number."""

    runs: tuple[Run, ...]
    wanted: int
    left_out: tuple[str, ...] = ()


def read_baseline(history: History, tonight: Tonight, wanted: int) -> Baseline:
    """Returns the last `wanted` nights that count. Raises HistoryError."""
    tonight = replace(tonight, machine_key=history.joined_key(tonight.machine_key))
    suite = next(iter(tonight.suites)) if len(tonight.suites) == 1 else None
    of_machine = history.runs(suite=suite, machine_key=tonight.machine_key)
    # Those of other machines are only reported.
    newest = history.runs(suite=suite, limit=4 * wanted)
    run_ids, left_out = choose(
        [*of_machine, *(s for s in newest if s.machine_key != tonight.machine_key)], tonight, wanted
    )
    return Baseline(tuple(history.load(run_ids, log_tails=False)), wanted, left_out)


def choose(
    newest_first: Sequence[RunSummary], tonight: Tonight, wanted: int
) -> tuple[list[str], tuple[str, ...]]:
    """Returns the IDs of the last `wanted` runs that count, oldest first, and how many were omitted for which reason.

    Runs of less than half of tonight's variants fill the remaining places, those with the most variants first.
    """
    fitting: list[RunSummary] = []
    left_out: Counter[str] = Counter()
    for summary in newest_first:
        if not tonight.suites.intersection(summary.suites):
            continue
        if reason := _why_not(summary, tonight):
            left_out[reason] += 1
        else:
            fitting.append(summary)
    half = tonight.variants / 2
    whole_first = sorted(fitting, key=lambda summary: -min(summary.variants, half))
    chosen = {summary.run_id for summary in whole_first[:wanted]}
    run_ids = [summary.run_id for summary in reversed(fitting) if summary.run_id in chosen]
    return run_ids, tuple(f"{count} {reason}" for reason, count in left_out.items())


def _why_not(summary: RunSummary, tonight: Tonight) -> str | None:
    if summary.machine_key != tonight.machine_key:
        different = differing_hardware(summary.machine, tonight.machine, "there", "here")
        known = may_be_same(summary.machine, tonight.machine)
        remedy = "; if it is this one, join both with history machines" if known else ""
        return f"of another machine ({different}{remedy})"
    if tonight.branch and summary.branch and summary.branch != tonight.branch:
        return "of another branch"
    if summary.dirty and not tonight.dirty:
        return "with changed files"
    return None if summary.passed else "in which nothing passed"
