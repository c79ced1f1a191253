"""Since when a figure is worse, and which commits lie in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples_utils.comparison.change_points import Change
from examples_utils.comparison.statement import change_text, interval_text, name_of
from examples_utils.comparison.verdicts import Comparison, Judged
from examples_utils.figures import MetricKey, Run
from examples_utils.summary import format_figure


@dataclass(frozen=True)
class Regression:
    """A regressed figure: its cause came after ``last_before`` (None: not known) and no later than ``first_after``."""

    judged: Judged
    last_before: Run | None
    first_after: Run


def regressions(comparison: Comparison, changes: Sequence[Change], nights: Sequence[Run]) -> list[Regression]:
    """One for each regressed figure. ``changes`` are those of ``nights``, the latest first; the last is the judged."""
    latest: dict[MetricKey, Change] = {}
    for change in changes:
        if change.better is False:
            latest.setdefault(change.key, change)
    return [
        Regression(one, latest[one.key].last_before, latest[one.key].first_after)
        if one.key in latest
        else Regression(one, _last_with(one, nights[:-1]), nights[-1])
        for one in comparison.regressed
    ]


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


def _last_with(one: Judged, earlier: Sequence[Run]) -> Run | None:
    return next((run for run in reversed(earlier) if one.key in run.figures), None)


def _night(run: Run) -> str:
    return f"{run.started_utc[:16].replace('T', ' ')} UTC"


def _commits(regression: Regression) -> str:
    before, after = regression.last_before, regression.first_after
    if before is None or not (before.commit and after.commit):
        return ""
    if before.commit == after.commit:
        return f", at the same commit {after.commit[:10]} as before: the code of this repository is not the cause"
    return f", commits {before.commit[:10]}..{after.commit[:10]}"
