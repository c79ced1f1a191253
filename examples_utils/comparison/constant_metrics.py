"""Metrics that need no statistics, or allow none."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from statistics import median

from examples_utils.comparison.pairing import Pair
from examples_utils.comparison.verdicts import MetricVerdict, Verdict

_ENOUGH = 6  # identical repetitions in total on each side, before a difference counts as certain


def constant_metric_verdict(pair: Pair, base_runs: int, threshold: float) -> MetricVerdict | None:
    """Returns the verdict on a metric that always has the same value, such as a parameter count; None for all others.

    The last runs are the new side. `nonpositive_metric_verdict` handles differing values of 0 or below.
    """
    before = pair.repetitions[:base_runs]
    base = [value for run in before for value in run]
    new = [value for run in pair.repetitions[base_runs:] for value in run]
    if not isfinite(sum(base) + sum(new)):
        base, new = ([value for value in side if isfinite(value)] for side in (base, new))
        reason = "some of its values are not finite numbers"
        return verdict_without_interval(pair, before, base, new, Verdict.UNCERTAIN, None, reason)
    lowest, highest = min(base), max(base)
    constant = lowest == highest and min(new) == max(new)
    if not constant:
        return None
    if lowest == new[0]:
        return verdict_without_interval(
            pair, before, base, new, Verdict.UNCHANGED, 1.0, "the same value every time"
        )
    if len(base) + len(new) < _ENOUGH:
        return None
    ratio = new[0] / lowest
    if max(ratio, 1 / ratio) < 1 + threshold:
        reason = "another value, every time, but within the threshold"
        return verdict_without_interval(pair, before, base, new, Verdict.UNCHANGED, ratio, reason)
    verdict = verdict_of_change(ratio > 1, pair.direction)
    reason = "another value, every time" + ("" if pair.direction else f"; {NO_DIRECTION}")
    return verdict_without_interval(pair, before, base, new, verdict, ratio, reason)


NO_DIRECTION = "whether higher or lower is better is unknown"


def verdict_of_change(rose: bool, direction: str | None) -> Verdict:
    """Returns the meaning of a certain change of a metric."""
    if direction not in ("lower", "higher"):
        return Verdict.UNCERTAIN
    return Verdict.REGRESSED if rose == (direction == "lower") else Verdict.IMPROVED


def verdict_without_interval(
    pair: Pair,
    before: Sequence[tuple[float, ...]],
    base: Sequence[float],
    new: Sequence[float],
    verdict: Verdict,
    ratio: float | None,
    reason: str,
) -> MetricVerdict:
    """Returns a verdict without an interval: `before` are the base runs, `base` and `new` the values that count."""
    return MetricVerdict(
        pair.key,
        verdict,
        unit=pair.unit,
        direction=pair.direction,
        base=median(base) if base else None,
        new=median(new) if new else None,
        ratio=ratio,
        low=ratio,
        high=ratio,
        threshold=None,
        base_runs=sum(map(bool, before)),
        base_values=len(base),
        new_values=len(new),
        reason=reason,
    )
