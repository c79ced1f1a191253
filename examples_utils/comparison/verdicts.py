"""The result of a comparison as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from examples_utils.run_model import MetricKey

# Begins the part of a reason that names what took time from the variant while it ran.
MEANWHILE = "meanwhile, "


class Verdict(str, Enum):
    """The verdict on one metric."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    UNCERTAIN = "uncertain"
    NEW = "new"
    MISSING = "missing"
    FAILED = "failed"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class MetricVerdict:
    """The verdict on one metric, with its evidence.

    `base` and `new` are medians. `ratio` is new ÷ base of the levels (robust means, see
    docs/comparison-method.md), `low` and `high` its 95% confidence interval, after removal of the common movement of
    the machine if there is one; `p` and `q` are the test's p-value and the one corrected for many comparisons.
    `base_runs` and `base_values` count the runs and the repetitions behind the base. `lasted_runs` counts the last
    runs that are on the new level, among those before which a step was sought. `needed` is the number of repetitions
    that would settle an uncertain verdict. `reason` is a sentence.
    """

    key: MetricKey
    verdict: Verdict
    unit: str | None = None
    direction: str | None = None
    base: float | None = None
    new: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    q: float | None = None
    threshold: float | None = None
    base_runs: int = 0
    base_values: int = 0
    new_values: int = 0
    lasted_runs: int = 1
    needed: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class MachineDrift:
    """The whole machine was slower (`slowdown` > 1) or faster: canary and most of the suite moved together."""

    slowdown: float
    low: float
    high: float
    share_of_suite: float
    canary: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """One run (or several) compared with a base. `differences` describe differences of machines or settings.

    `geometric_mean` is that of the ratios of all comparable metrics with a direction; above 1 is better.
    `run_noise` is the noise between two single runs that the verdicts take into account, and its source.
    """

    base_title: str
    new_title: str
    judged: tuple[MetricVerdict, ...]
    movement: MachineDrift | None = None
    differences: tuple[str, ...] = ()
    geometric_mean: float | None = None
    run_noise: str = ""

    @property
    def regressed(self) -> tuple[MetricVerdict, ...]:
        """The verdicts that give exit code 1."""
        return tuple(one for one in self.judged if one.verdict is Verdict.REGRESSED)
