"""Lasting changes of the metrics in a history, each dated between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from examples_utils.comparison.constant_metrics import verdict_of_change
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.pairing import Pair, alike
from examples_utils.comparison.pipeline import measure
from examples_utils.comparison.selection import is_chosen, refuse_unknown
from examples_utils.comparison.statistics.change_points import ChangePoint, change_points_of_levels
from examples_utils.comparison.verdicts import Verdict
from examples_utils.history.fingerprint import same_machine
from examples_utils.history.settings import OF_THE_START, comparable
from examples_utils.problems import RequestError
from examples_utils.run_model import MetricKey, Run, VariantKey

if TYPE_CHECKING:
    from examples_utils.history.store import History


@dataclass(frozen=True)
class Change:
    """A change point of one metric, between two runs; `better` is None if the metric has no direction."""

    key: MetricKey
    point: ChangePoint
    last_before: Run
    first_after: Run
    better: bool | None


@dataclass(frozen=True)
class ChangeFilter:
    """Which part of a history to search; empty or None selects all. `benchmarks` are patterns, as for `compare`.

    Without `branch` it is that of the newest run, as runs of other branches in between would look like steps.
    """

    benchmarks: Sequence[str] = ()
    metrics: Sequence[str] = ()
    suite: str | None = None
    branch: str | None = None


@dataclass(frozen=True)
class MachineChanges:
    """The change points of one machine's runs, the latest first. `hostname`: or the name that users gave it."""

    hostname: str
    branch: str | None
    runs: int
    changes: tuple[Change, ...]


def changes(runs: Sequence[Run], options: CompareOptions) -> tuple[Change, ...]:
    """Returns the change points of every metric of a history, the latest first; `runs` is oldest first.

    Omits runs on another machine than the last one, and runs with other settings than a variant's last ones. Corrects
    nights on which canary and suite moved together.
    """
    of_machine = [run for run in runs if same_machine(run, runs[-1])]
    pairs = list(_series(of_machine))
    if not pairs:
        return ()
    data = measure(pairs, of_machine, len(of_machine)).data
    found = [
        Change(
            key=pair.key,
            point=point,
            last_before=of_machine[point.last_before],
            first_after=of_machine[point.first_after],
            better=verdict_of_change(point.ratio > 1, pair.direction) is Verdict.IMPROVED
            if pair.direction
            else None,
        )
        for metric, pair in enumerate(pairs)
        for point in change_points_of_levels(
            data.part(metric, slice(None)), options.threshold_of(pair.threshold), options.confidence
        )
    ]
    return tuple(sorted(found, key=lambda change: -change.point.index))


def history_changes(
    history: History, selected: ChangeFilter, options: CompareOptions
) -> list[MachineChanges]:
    """Returns the change points over the whole history, separately for each machine, most recently active first.

    Raises:
        RequestError: The history has no such branch, suite, benchmark or metric.
    """
    all_runs = history.runs(suite=selected.suite, branch=selected.branch)
    if not all_runs:
        of = "".join(
            f" of {name} {value}"
            for name, value in (("suite", selected.suite), ("branch", selected.branch))
            if value
        )
        raise RequestError(f"changes: {history.title} has no run{of}; history list shows the runs")
    # A run without a branch, such as an imported one, does not determine the branch.
    branch = next((summary.branch for summary in all_runs if summary.branch), None)
    names = {summary.machine_key: summary.machine_name for summary in all_runs}
    machines: dict[str, list[str]] = {}
    for summary in all_runs:
        if summary.branch == branch:
            machines.setdefault(summary.machine_key, []).append(summary.run_id)
    found = []
    known: set[MetricKey] = set()
    for machine_key, run_ids in machines.items():
        # The common movement of the suite is removed before anything is omitted.
        runs = history.load(run_ids[::-1], log_tails=False)
        known.update(key for run in runs for key in run.metrics)
        chosen = [
            change
            for change in changes(runs, options)
            if is_chosen(change.key, selected.benchmarks, selected.metrics)
            and selected.suite in (None, change.key.suite)
        ]
        title = names[machine_key] or str(runs[-1].machine.get("hostname", "an unnamed machine"))
        found.append(MachineChanges(title, branch, len(runs), tuple(chosen)))
    refuse_unknown(known, selected.benchmarks, selected.metrics, "--metric")
    return found


def _series(runs: Sequence[Run]) -> Iterator[Pair]:
    """Yields the metrics with a level, each with its repetitions in every run that is comparable to its last one.

    A run in which a metric is 0 or below, which has no logarithm, counts as a run without it. A metric for which this
    holds in most runs, such as a number of errors, has no level.
    """
    keys = dict.fromkeys(key for run in reversed(runs) for key in run.metrics)
    of_variants = {variant: _comparable(variant, runs) for variant in {key.of_variant for key in keys}}
    for key in keys:
        of_start = key.metric in OF_THE_START
        fitting = _comparable(key.of_variant, runs, key.metric) if of_start else of_variants[key.of_variant]
        metrics = [run.metrics.get(key) if fits else None for run, fits in zip(runs, fitting, strict=True)]
        last = next((metric for metric in reversed(metrics) if metric and metric.values), None)
        if last is None:
            continue
        repetitions = tuple(one.values if one and alike(one, last) else () for one in metrics)
        usable = tuple(run if all(0 < value < inf for value in run) else () for run in repetitions)
        if 2 * sum(map(bool, usable)) >= sum(map(bool, repetitions)):
            yield Pair(key, last.unit, last.direction, _threshold(key.of_variant, runs), usable)


def _threshold(variant: VariantKey, runs: Sequence[Run]) -> float | None:
    """Returns the threshold that the entry had last."""
    facts = next((run.variants[variant] for run in reversed(runs) if variant in run.variants), None)
    return facts.threshold if facts else None


def _comparable(variant: VariantKey, runs: Sequence[Run], metric: str = "") -> list[bool]:
    facts = [run.variants.get(variant) for run in runs]
    passed = [one is None or one.status == "passed" for one in facts]
    known = [one.settings for one, fits in zip(facts, passed, strict=True) if one is not None and fits]
    return [
        fits and (one is None or not known or comparable(one.settings, known[-1], metric))
        for one, fits in zip(facts, passed, strict=True)
    ]
