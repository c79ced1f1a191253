"""Regressions that nights have reported, and what became of them: open, accepted by somebody, or gone."""

from __future__ import annotations

from dataclasses import dataclass

from examples_utils.run_model import MetricKey, Run


@dataclass(frozen=True)
class Acceptance:
    """Who takes a regression as intended, when (ISO 8601, UTC) and why."""

    by: str
    accepted_utc: str
    reason: str


@dataclass(frozen=True)
class ReportedRegression:
    """A lasting change of one metric for the worse, on one machine.

    `last_before` (None: unknown) and `first_after` are the runs between which it began, with no more than their ID,
    start, commit and branch. `ratio` is after ÷ before with its 95% interval, None for a metric without a ratio.
    `called_utc` is the start of the first night whose verdict it was; None if it was only found in the history later.
    `gone_utc` is the start of the night on which the metric was back at its level.
    """

    key: MetricKey
    first_after: Run
    last_before: Run | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    called_utc: str | None = None
    gone_utc: str | None = None
    acceptance: Acceptance | None = None

    @property
    def state(self) -> str:
        """`open`, `accepted` or `gone`."""
        return "accepted" if self.acceptance else "gone" if self.gone_utc else "open"


def known_of(run: Run) -> Run:
    """Returns the run with the facts that a regression keeps of it."""
    return Run(run.run_id, run.started_utc, commit=run.commit, dirty=run.dirty, branch=run.branch)
