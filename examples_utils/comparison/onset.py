"""Since when a metric is worse, and the commits in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples_utils.comparison.changes import Change
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison, MetricVerdict
from examples_utils.run_model import MetricKey, Run

# An earlier change point is another step: the verdict's base begins after it.
_LONGEST_LOOK_BACK = CompareOptions.window_nights


@dataclass(frozen=True)
class Regression:
    """A regressed metric: its cause came after `last_before` (None: unknown) and no later than `first_after`.

    `nights` counts the nights of the comparison that are worse; 1 is the tested night alone.
    """

    judged: MetricVerdict
    last_before: Run | None
    first_after: Run
    nights: int


def regressions(
    comparison: Comparison, compared: Sequence[Run], changes: Sequence[Change], nights: Sequence[Run]
) -> list[Regression]:
    """Returns one entry for each regressed metric.

    The verdict includes the onset, but it looks back some nights only: a regression that has lasted as long is dated
    by its change point.

    Args:
        comparison: The last of the runs compared with those before it.
        compared: The runs of the comparison only, oldest first; the last one is the tested run.
        changes: The change points of `nights`, the latest first.
        nights: The history with these change points: it may contain more runs, and ends with the same one.
    """
    latest = _latest_for_the_worse(changes)
    earliest = _place(compared[-_LONGEST_LOOK_BACK:][0], nights)
    recent = {key: change for key, change in latest.items() if change.point.index >= earliest}
    return [_dated(one, compared, recent.get(one.key), nights) for one in comparison.regressed]


def open_regressions(
    comparison: Comparison, changes: Sequence[Change], nights: Sequence[Run]
) -> list[Change]:
    """Returns recent steps for the worse that still persist, although this night was no worse than the ones before.

    A verdict reports a step for some nights and then takes the new level as the baseline.
    """
    called = {one.key for one in comparison.regressed}
    first = len(nights) - _LONGEST_LOOK_BACK
    found = _latest_for_the_worse(changes).values()
    return [change for change in found if change.point.index >= first and change.key not in called]


def _latest_for_the_worse(changes: Sequence[Change]) -> dict[MetricKey, Change]:
    """Returns the last step of each metric that was for the worse: a later improvement settles it."""
    latest: dict[MetricKey, Change] = {}
    for change in changes:
        latest.setdefault(change.key, change)
    return {key: change for key, change in latest.items() if change.better is False}


def _dated(
    one: MetricVerdict, compared: Sequence[Run], change: Change | None, nights: Sequence[Run]
) -> Regression:
    begun = max(0, len(compared) - one.lasted_runs)
    before = [run for run in compared[:begun] if one.key in run.metrics]
    # The base begins after an older step: its change point is not that of this one.
    base = before[-one.base_runs :]
    is_of_this_step = change and (not base or change.point.index > _place(base[0], nights))
    if change and is_of_this_step and one.lasted_runs > CompareOptions.recent_nights:
        after = {run.run_id for run in nights[_place(change.first_after, nights) :]}
        lasted = sum(run.run_id in after for run in compared)
        return Regression(one, change.last_before, change.first_after, lasted)
    first = next((place for place in range(begun, len(compared)) if one.key in compared[place].metrics), -1)
    return Regression(one, before[-1] if before else None, compared[first], len(compared[first:]))


def _place(run: Run, nights: Sequence[Run]) -> int:
    """Returns the index of the run among the nights; 0 if it is not among them, as then it is older than all."""
    return next((place for place, night in enumerate(nights) if night.run_id == run.run_id), 0)
