"""Since when a figure is worse, and which commits lie in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples_utils.comparison.changes import Change
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison, MetricVerdict
from examples_utils.run_model import MetricKey, Run

# A change point before that is another, older step: the verdict's own base begins after it.
_LONGEST_LOOK_BACK = CompareOptions.window_nights


@dataclass(frozen=True)
class Regression:
    """A regressed figure: its cause came after ``last_before`` (None: not known) and no later than ``first_after``.

    ``nights`` counts those of the comparison that are worse; 1 is the judged one alone.
    """

    judged: MetricVerdict
    last_before: Run | None
    first_after: Run
    nights: int


def regressions(
    comparison: Comparison, compared: Sequence[Run], changes: Sequence[Change], nights: Sequence[Run]
) -> list[Regression]:
    """One for each regressed figure.

    The verdict itself says since when, but it looks back some nights only: what has lasted so long is dated by its
    change point.

    Args:
        comparison: of the last of the runs with those before it.
        compared: the runs that the comparison rests on, and no others, oldest first; the last one is the judged.
        changes: the change points of ``nights``, the latest first.
        nights: the history in which they were looked for: it may hold more runs, and ends with the same one.
    """
    latest = _latest_for_the_worse(changes)
    earliest = _place(compared[-_LONGEST_LOOK_BACK:][0], nights)
    recent = {key: change for key, change in latest.items() if change.point.index >= earliest}
    return [_dated(one, compared, recent.get(one.key), nights) for one in comparison.regressed]


def open_regressions(
    comparison: Comparison, changes: Sequence[Change], nights: Sequence[Run]
) -> list[Change]:
    """The steps for the worse of the last weeks that still stand, though this night was no worse than the ones before.

    A verdict calls a step for some nights and then takes the new level for the usual one.
    """
    called = {one.key for one in comparison.regressed}
    first = len(nights) - _LONGEST_LOOK_BACK
    found = _latest_for_the_worse(changes).values()
    return [change for change in found if change.point.index >= first and change.key not in called]


def _latest_for_the_worse(changes: Sequence[Change]) -> dict[MetricKey, Change]:
    """The last step of each figure, where it was for the worse: one for the better after it has settled it."""
    latest: dict[MetricKey, Change] = {}
    for change in changes:
        latest.setdefault(change.key, change)
    return {key: change for key, change in latest.items() if change.better is False}


def _dated(
    one: MetricVerdict, compared: Sequence[Run], change: Change | None, nights: Sequence[Run]
) -> Regression:
    if change and one.lasted_runs > CompareOptions.recent_nights:
        after = {run.run_id for run in nights[_place(change.first_after, nights) :]}
        lasted = sum(run.run_id in after for run in compared)
        return Regression(one, change.last_before, change.first_after, lasted)
    begun = max(0, len(compared) - one.lasted_runs)
    before = (run for run in reversed(compared[:begun]) if one.key in run.metrics)
    first = next((place for place in range(begun, len(compared)) if one.key in compared[place].metrics), -1)
    return Regression(one, next(before, None), compared[first], len(compared[first:]))


def _place(run: Run, nights: Sequence[Run]) -> int:
    """Where among the nights the run is; 0 where it is none of them, as then it is older than all."""
    return next((place for place, night in enumerate(nights) if night.run_id == run.run_id), 0)
