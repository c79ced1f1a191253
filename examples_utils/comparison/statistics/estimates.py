"""How much each metric changed, how certain that is, and the effect of more repetitions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels, winsorised
from examples_utils.comparison.statistics.permutation_test import (
    benjamini_hochberg,
    permutation_p,
    smallest_permutation_p,
)
from examples_utils.comparison.statistics.step_detection import Steps
from examples_utils.comparison.statistics.variance_shrinkage import shrunk_variances


@dataclass(frozen=True)
class Estimates:
    """`(metrics,)`; sizes are logarithms of new ÷ base.

    `low` and `high` are NaN where the spread is unknown; `p` is two-sided, 1 there. `fixed` is the variance of
    `size` that more repetitions would not reduce; n of them would reduce `each` to each ÷ n. `length` is the number of
    runs since the step.
    """

    size: Floats
    low: Floats
    high: Floats
    p: Floats
    q: Floats
    fixed: Floats
    each: Floats
    length: Ints


def of_series(data: Levels, found: Steps, level: float, confidence: float) -> Estimates:
    """Estimates for runs whose levels vary by themselves: `found` are the steps of `data`."""
    with np.errstate(invalid="ignore"):
        half = special.stdtrit(np.maximum(found.freedom, 1), (1 + confidence) / 2) * found.deviation
    half = np.where(np.isfinite(half) & (found.freedom > 0), half, np.nan)
    after = np.arange(data.counts.shape[1]) >= (data.counts.shape[1] - found.length)[:, None]
    new = np.where(after, data.counts, 0).sum(axis=1)
    estimates = Estimates(
        size=found.size,
        low=found.size - half,
        high=found.size + half,
        p=np.where(np.isnan(half), 1.0, found.p),
        q=np.ones(len(new)),
        fixed=np.maximum(found.deviation**2 - found.repetition**2 / new, 0.0),
        each=found.repetition**2,
        length=found.length,
    )
    return _corrected(estimates, data, level)


def of_two(
    data: Levels,
    between: Floats,
    level: float,
    *,
    confidence: float,
    resamples: int,
    seed: int,
    between_freedom: Floats | float = np.inf,
) -> Estimates:
    """Estimates for two runs, or two interleaved sides: only repetitions and a known noise between runs vary.

    `between` `(metrics,)` is the variance of that noise, and of other sources, such as the estimate of a common
    movement. `between_freedom` are its degrees of freedom. `resamples` and `seed` belong to the bootstrap.
    """
    base, new = data.counts[:, 0], data.counts[:, 1]
    variance, freedom = shrunk_variances(data.within / np.maximum(data.freedom, 1), data.freedom)
    size = data.centres[:, 1] - data.centres[:, 0]
    known = (base > 1) & (new > 1) & (variance > 0)
    of_repetitions = np.where(known, variance * (1 / base + 1 / new), 1.0)
    deviation = np.sqrt(of_repetitions + between)
    together = _satterthwaite(of_repetitions, np.maximum(freedom, 1), between, between_freedom)
    tail = (1 + confidence) / 2
    wider = special.stdtrit(np.minimum(between_freedom, 1e9), tail) / special.ndtri(tail)
    low, high = _bootstrapped(data, np.sqrt(between) * wider, confidence, resamples, seed)
    estimates = Estimates(
        size=size,
        low=np.where(known, low, np.nan),
        high=np.where(known, high, np.nan),
        p=np.where(known, 2 * special.stdtr(together, -np.abs(size) / deviation), 1.0),
        q=np.ones(len(size)),
        fixed=between,
        each=2 * variance,
        length=np.ones(len(size), np.int64),
    )
    return _corrected(estimates, data, level)


def _satterthwaite(one: Floats, freedom: Floats, other: Floats, of_other: Floats | float) -> Floats:
    """Returns the degrees of freedom of the sum of two estimated variances (Satterthwaite 1946)."""
    together: Floats = (one + other) ** 2 / (one**2 / freedom + other**2 / of_other)
    return together


def _bootstrapped(
    data: Levels, noise: Floats, confidence: float, resamples: int, seed: int
) -> tuple[Floats, Floats]:
    low, high = (np.full(len(data.counts), np.nan) for _ in range(2))
    patterns, belongs = np.unique(data.counts, axis=0, return_inverse=True)
    for number, (base, new) in enumerate(patterns):
        rows = np.flatnonzero(belongs.reshape(-1) == number)
        low[rows], high[rows] = interval(
            data.drawn_in[rows, 0, :base],
            data.drawn_in[rows, 1, :new],
            confidence=confidence,
            resamples=resamples,
            seed=seed,
            noise=noise[rows],
        )
    return low, high


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
    base, new = (
        np.sort(base, axis=1),
        np.sort(new, axis=1),
    )  # the draws are fixed: without it their order would count
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
    """Returns deviations of resampled means from the mean `(metrics, resamples)`; all metrics draw the same ranks."""
    number = units.shape[1]
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=resamples) / number
    residuals = (units - units.mean(axis=1, keepdims=True)) * np.sqrt(number / (number - 1))
    deviations: Floats = residuals @ drawn.T
    return deviations


def _corrected(estimates: Estimates, data: Levels, level: float) -> Estimates:
    """Adds q-values; a significant change must also pass the exact test, where that can reach the level at all.

    The t-tests assume that averages are nearly normal. The exact test does not, but knows only repetitions that are
    exchangeable between the sides: it cannot stand alone where levels vary from run to run.
    """
    p = estimates.p.copy()
    for metric in np.flatnonzero(benjamini_hochberg(p) <= level):
        split = data.counts.shape[1] - estimates.length[metric]
        base, new = (data.values[metric, side].ravel() for side in (slice(split), slice(split, None)))
        base, new = base[np.isfinite(base)], new[np.isfinite(new)]
        if smallest_permutation_p(len(base), len(new)) <= level / len(p):
            p[metric] = max(p[metric], permutation_p(*_drawn_in(base, new)))
    return replace(estimates, p=p, q=benjamini_hochberg(p))


def _drawn_in(base: Floats, new: Floats) -> tuple[Floats, Floats]:
    """Winsorises outliers of both sides together, as the exact test requires."""
    together = np.concatenate([base, new])
    drawn_in = winsorised(together[None, None], np.array([[len(together)]]))[0, 0]
    return drawn_in[: len(base)], drawn_in[len(base) :]
