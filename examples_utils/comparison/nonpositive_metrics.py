"""Metrics with values of 0 or below: a ratio has no meaning, but sides that do not overlap show a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from math import isfinite, sqrt
from statistics import fmean, median

from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.constant_metrics import (
    NO_DIRECTION,
    verdict_of_change,
    verdict_without_interval,
)
from examples_utils.comparison.pairing import Pair
from examples_utils.comparison.statistics.permutation_test import smallest_permutation_p
from examples_utils.comparison.verdicts import MetricVerdict, Verdict

_Runs = Sequence[tuple[float, ...]]
_NO_RATIO = "a ratio has no meaning where a value is 0 or below"


@dataclass(frozen=True)
class Criterion:
    """The criteria for a change, for all such metrics of one comparison.

    A step is sought before the last of the `lengths` runs; q, p after Bonferroni's correction for these and for
    the number of `metrics`, must be at most `level`. `varying`: runs have levels that vary by themselves.
    """

    lengths: Sequence[int]
    level: float
    metrics: int
    varying: bool


def has_no_ratio(pair: Pair) -> bool:
    """Whether some of its values are 0 or below, unless all of them are the same number."""
    values = _values(pair.repetitions)
    return isfinite(sum(values)) and min(values) <= 0 and min(values) < max(values)


def nonpositive_metric_verdict(
    pair: Pair, base_runs: int, threshold: float, criterion: Criterion
) -> MetricVerdict:
    """The verdict on a metric for which `has_no_ratio` holds; the runs after the `base_runs` are new."""
    if pair.direction is None:
        return _open(pair, base_runs, pair.repetitions[:base_runs], f"{_NO_RATIO}; {NO_DIRECTION}")
    p, length = min((_p(*_sides(pair, length), threshold, criterion), length) for length in criterion.lengths)
    q = min(1.0, criterion.metrics * p)
    if q > criterion.level:
        return _uncertain(pair, base_runs, threshold, criterion)
    before, after = _sides(pair, length)
    found = _open(pair, base_runs, before, _NO_RATIO)
    lasted = f"; for {length} runs now" if length > 1 else ""
    return replace(
        found,
        verdict=verdict_of_change(min(_values(after)) > max(_values(before)), pair.direction),
        p=p,
        q=q,
        threshold=threshold,
        lasted_runs=length,
        reason=f"{found.base:.5g} in the base and {found.new:.5g} now without any overlap; {found.reason}{lasted}",
    )


def _p(before: _Runs, after: _Runs, threshold: float, criterion: Criterion) -> float:
    """Returns how often chance alone would separate two sides like this; 1 for sides that overlap.

    The larger p-value of the exact permutation test, for which only one of all ways to deal out the repetitions is as
    extreme, and of the t-test of the runs' levels, corrected for the number of steps.
    """
    if not _apart(before, after, threshold):
        return 1.0
    exact = smallest_permutation_p(len(_values(before)), len(_values(after)))
    return min(1.0, len(criterion.lengths) * max(exact, _p_of_levels(before, after, criterion.varying)))


def _apart(before: _Runs, after: _Runs, threshold: float) -> bool:
    """Whether no repetitions overlap, and the medians differ by the threshold as a share of the larger magnitude."""
    base, new = _values(before), _values(after)
    if not base or not new or (max(base) >= min(new) and max(new) >= min(base)):
        return False
    middles = median(base), median(new)
    return abs(middles[1] - middles[0]) >= threshold * max(map(abs, middles))


def _p_of_levels(before: _Runs, after: _Runs, varying: bool) -> float:
    """Returns the two-sided p-value of a t-test of the levels of runs.

    0, which vetoes nothing, if levels do not vary. With one run per side, this is unknown.
    """
    levels = [[fmean(run) for run in side] for side in (before, after)]
    squares = sum((level - fmean(side)) ** 2 for side in levels for level in side)
    freedom = len(before) + len(after) - 2
    if not freedom:
        return 1.0 if varying else 0.0
    if not squares:
        return 0.0
    deviation = sqrt(squares / freedom * (1 / len(before) + 1 / len(after)))
    return float(2 * special.stdtr(freedom, -abs(fmean(levels[1]) - fmean(levels[0])) / deviation))


def _uncertain(pair: Pair, base_runs: int, threshold: float, criterion: Criterion) -> MetricVerdict:
    """Returns the number of repetitions that would settle it, where two single runs do not overlap."""
    found = _open(pair, base_runs, pair.repetitions[:base_runs], _NO_RATIO)
    before, after = _sides(pair, criterion.lengths[0])
    if len(before) != 1 or len(after) != 1 or criterion.varying or not _apart(before, after, threshold):
        return found
    level = criterion.level / criterion.metrics
    needed = next(number for number in count(2) if smallest_permutation_p(number, number) <= level)
    return replace(
        found, needed=needed, reason=f"{found.reason}; {needed} repetitions per side would settle it"
    )


def _open(pair: Pair, base_runs: int, before: _Runs, reason: str) -> MetricVerdict:
    """Uncertain so far; `before` are the base runs that the new ones are compared with."""
    base, new = _values(before), _values(pair.repetitions[base_runs:])
    return verdict_without_interval(pair, before, base, new, Verdict.UNCERTAIN, None, reason)


def _sides(pair: Pair, length: int) -> tuple[_Runs, _Runs]:
    """Splits the runs before the last `length` ones, without those that have no value."""
    before, after = pair.repetitions[:-length], pair.repetitions[-length:]
    return [run for run in before if run], [run for run in after if run]


def _values(runs: _Runs) -> list[float]:
    return list(chain.from_iterable(runs))
