"""Since when a figure is worse, and which commits lie in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples_utils.comparison.change_points import Change
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statement import change_text, interval_text, name_of
from examples_utils.comparison.verdicts import Comparison, Judged
from examples_utils.figures import MetricKey, Run
from examples_utils.summary import format_figure

# A change point before that is another, older step: the verdict's own base begins after it.
_LONGEST_LOOK_BACK = CompareOptions.window_nights


@dataclass(frozen=True)
class Regression:
    """A regressed figure: its cause came after ``last_before`` (None: not known) and no later than ``first_after``."""

    judged: Judged
    last_before: Run | None
    first_after: Run


def regressions(comparison: Comparison, changes: Sequence[Change], nights: Sequence[Run]) -> list[Regression]:
    """One for each regressed figure. ``changes`` are those of ``nights``, the latest first; the last is the judged.

    The verdict itself says since when, but it looks back some nights only: what has lasted so long is dated by its
    change point.
    """
    latest = _latest_for_the_worse(changes)
    return [_dated(one, latest.get(one.key), nights) for one in comparison.regressed]


def standing(comparison: Comparison, changes: Sequence[Change], nights: Sequence[Run]) -> list[Change]:
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


def regression_line(regression: Regression) -> str:
    """What, by how much, since when, and between which commits."""
    one = regression.judged
    unit = f" {one.unit}" if one.unit else ""
    interval = f", {interval_text(one)}" if interval_text(one) else ""
    return (
        f"REGRESSED {name_of(one)} {one.key.metric}: {change_text(one)}{interval} "
        f"({format_figure(one.base)} to {format_figure(one.new)}{unit}) since {_night(regression.first_after)}"
        f"{_commits(regression.last_before, regression.first_after)}"
    )


def standing_line(change: Change) -> str:
    """What got worse some nights ago, by how much, and between which commits."""
    low, high = (f"{end - 1:+.1%}" for end in (change.point.low, change.point.high))
    return (
        f"STILL WORSE {change.key.variant} {change.key.metric}: {change.point.ratio - 1:+.1%}, {low} to {high}, since "
        f"{_night(change.first_after)}{_commits(change.last_before, change.first_after)}"
    )


def _dated(one: Judged, change: Change | None, nights: Sequence[Run]) -> Regression:
    may_be_older = one.lasted_runs > CompareOptions.recent_nights
    if change and may_be_older and change.point.index >= len(nights) - _LONGEST_LOOK_BACK:
        return Regression(one, change.last_before, change.first_after)
    begun = max(0, len(nights) - one.lasted_runs)
    before = (run for run in reversed(nights[:begun]) if one.key in run.figures)
    after = (run for run in nights[begun:] if one.key in run.figures)
    return Regression(one, next(before, None), next(after, nights[-1]))


def _night(run: Run) -> str:
    return f"{run.started_utc[:16].replace('T', ' ')} UTC"


def _commits(before: Run | None, after: Run) -> str:
    if before is None or not (before.commit and after.commit):
        return ""
    if before.commit == after.commit:
        return f", at the same commit {after.commit[:10]} as before: the code of this repository is not the cause"
    return f", commits {before.commit[:10]}..{after.commit[:10]}"
