"""Tests of a step between two neighbouring segments of a series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats

_WIDEST = 2.5  # standard deviations: a night further out counts as one that is so far out
_LEAST_NOISE = 0.3  # of the series' noise: no segment is quieter than this
_PRIOR_NIGHTS = 8.0  # the weight of the pooled variance against that of a segment (Smyth 2004)
_NEAR = 30  # nights on each side that the autoregressive model looks at
_CORRELATIONS = np.array([0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.87, 0.95])


class Segment(NamedTuple):
    """Robust mean and variance of the nights of one level."""

    mean: float
    variance: float
    nights: int


def segment_of(nights: Floats, noise: float) -> Segment:
    """Returns mean and variance of nights winsorised at 2.5 standard deviations; `noise` is that of the series."""
    if len(nights) < 3:
        return Segment(float(nights.mean()), float(nights.var()), len(nights))
    mean = float(np.median(nights))
    limit = _WIDEST * max(1.4826 * float(np.median(np.abs(nights - mean))), 0.5 * noise)
    for _ in range(3):
        drawn_in = np.clip(nights, mean - limit, mean + limit)
        mean = float(drawn_in.mean())
    return Segment(mean, float(((drawn_in - mean) ** 2).sum() / (len(nights) - 1)), len(nights))


def pooled_variance(segments: list[Segment], noise: float) -> float:
    """Returns the common variance of all segments, not less than a share of the series' noise."""
    freedom = sum(one.nights - 1 for one in segments)
    total = sum(one.variance * (one.nights - 1) for one in segments)
    return max(total / max(1, freedom), (_LEAST_NOISE * noise) ** 2)


def independent_p(before: Segment, after: Segment, pooled: float) -> float:
    """Returns the two-sided p-value of Welch's test, with each variance shrunk towards the pooled one."""
    freedom = np.array([_PRIOR_NIGHTS + one.nights - 1 for one in (before, after)])
    own = np.array([one.variance * (one.nights - 1) for one in (before, after)])
    of_mean = (_PRIOR_NIGHTS * pooled + own) / freedom / (before.nights, after.nights)
    combined = of_mean.sum() ** 2 / (of_mean**2 / freedom).sum()
    t = abs(after.mean - before.mean) / np.sqrt(of_mean.sum())
    return 2 * float(special.stdtr(combined, -t))


def correlated_p(first: Floats, second: Floats, levels: tuple[Segment, Segment], least: float) -> float:
    """Returns the two-sided p-value of a step if nights are correlated, so that drift is not mistaken for a step.

    Generalised least squares of a constant and a step under an autoregressive process, averaged over its correlation
    with weights from the restricted likelihood. Outlying nights are set to their level: an outlier next to the step
    would otherwise hide it. `least` is the smallest variance of a night.
    """
    limit = _WIDEST * np.sqrt(max(least, *(one.variance for one in levels)))
    sides = [first[-_NEAR:], second[:_NEAR]]
    series = np.concatenate(
        [
            np.where(np.abs(side - one.mean) > limit, one.mean, side)
            for side, one in zip(sides, levels, strict=True)
        ]
    )
    step = np.repeat([0.0, 1.0], [len(side) for side in sides])
    y, one, x = (_whitened(part) for part in (series - series.mean(), np.ones(len(step)), step))
    oo, ox, xx = (one * one).sum(1), (one * x).sum(1), (x * x).sum(1)
    oy, xy, yy = (one * y).sum(1), (x * y).sum(1), (y * y).sum(1)
    determinant = oo * xx - ox**2
    size = (oo * xy - ox * oy) / determinant
    constant = (xx * oy - ox * xy) / determinant
    freedom = len(series) - 2
    # A hundredth of the series' variance keeps constant nights from a division by zero.
    residual = np.maximum(yy - size * xy - constant * oy, 0) + 0.01 * least * freedom
    p = 2 * special.stdtr(freedom, -np.abs(size) / np.sqrt(residual / freedom * oo / determinant))
    likelihood = (
        0.5 * np.log(1 - _CORRELATIONS**2) - 0.5 * np.log(determinant) - freedom / 2 * np.log(residual)
    )
    return float(np.average(p, weights=np.exp(likelihood - likelihood.max())))


def overlap(before: Floats, after: Floats, levels: tuple[Segment, Segment]) -> float:
    """Returns the larger share of nights, of either side, that lie nearer to the level of the other one."""
    low, high = levels[0].mean, levels[1].mean
    middle = (low + high) / 2
    wrong = (before > middle, after < middle) if high > low else (before < middle, after > middle)
    return max(float(side.mean()) for side in wrong)


def _whitened(series: Floats) -> Floats:
    """Returns `(correlations, nights)`, uncorrelated if the series has that correlation from night to night."""
    rho = _CORRELATIONS[:, None]
    return np.concatenate([np.sqrt(1 - rho**2) * series[0], series[1:] - rho * series[:-1]], axis=1)
