"""Confidence intervals of a ratio by the bootstrap."""

from __future__ import annotations

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats


def interval(
    base: Floats,
    new: Floats,
    *,
    confidence: float,
    resamples: int,
    seed: int,
    noise: Floats,
) -> tuple[Floats, Floats]:
    """Returns low and high end `(metrics,)` of the difference mean(new) − mean(base).

    `base` `(metrics, m)` and `new` `(metrics, n)` hold independent units: the repetitions of one run, or one
    level for each of several runs, never the iterations inside a repetition. `noise` `(metrics,)` is the standard
    deviation of any other variation between the two sides. Both are resampled with replacement, with the corrections
    for small samples of Hesterberg (2015): residuals are widened by √(n/(n−1)), and quantiles by t ÷ z. One unit per
    side gives NaN.
    """
    if min(base.shape[1], new.shape[1]) < 2:
        nothing = np.full(len(base), np.nan)
        return nothing, nothing
    generator = np.random.default_rng(seed)
    size = new.mean(axis=1) - base.mean(axis=1)
    moved = _resampled(new, resamples, generator) - _resampled(base, resamples, generator)
    moved += noise[:, None] * generator.standard_normal(resamples)
    tail = (1 - confidence) / 2
    freedom = base.shape[1] + new.shape[1] - 2
    wider = special.stdtrit(freedom, 1 - tail) / special.ndtri(1 - tail)
    low, high = np.quantile(moved, [tail, 1 - tail], axis=1)
    return size + wider * low, size + wider * high


def _resampled(units: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Returns deviations of resampled means from the mean `(metrics, resamples)`; all metrics draw the same units."""
    number = units.shape[1]
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=resamples) / number
    residuals = (units - units.mean(axis=1, keepdims=True)) * np.sqrt(number / (number - 1))
    deviations: Floats = residuals @ drawn.T
    return deviations
