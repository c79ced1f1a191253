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
    latest: dict[MetricKey, Change] = {}
    for change in changes:
        if change.better is False:
            latest.setdefault(change.key, change)
    return [_dated(one, latest.get(one.key), nights) for one in comparison.regressed]


def regression_line(regression: Regression) -> str:
    """What, by how much, since when, and between which commits."""
    one = regression.judged
    unit = f" {one.unit}" if one.unit else ""
    interval = f", {interval_text(one)}" if interval_text(one) else ""
    return (
        f"REGRESSED {name_of(one)} {one.key.metric}: {change_text(one)}{interval} "
        f"({format_figure(one.base)} to {format_figure(one.new)}{unit}) since {_night(regression.first_after)}"
        f"{_commits(regression)}"
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


def _commits(regression: Regression) -> str:
    before, after = regression.last_before, regression.first_after
    if before is None or not (before.commit and after.commit):
        return ""
    if before.commit == after.commit:
        return f", at the same commit {after.commit[:10]} as before: the code of this repository is not the cause"
    return f", commits {before.commit[:10]}..{after.commit[:10]}"
