"""Detects a step in a series of runs whose levels vary by themselves.

The level of a metric in run i is  m + s·[i is after the step] + u_i + e_i,  where u is the run's own level, an
autoregressive process of variance λσ² and lag-one correlation φ, and e_i is the mean of n_i repetitions, of variance
σ²/n_i. For given λ and φ the step is a generalised least squares problem with a t statistic. λ and φ are unknown and
badly determined by one metric alone; so a grid of them is weighted by its restricted likelihood, times weights that are
learned from all metrics of the suite (a hierarchical model, summed over grids instead of sampled), and the step's
p-value is the weighted mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels

# λ, the variance between runs ÷ that of one repetition, and φ, the correlation from one run to the next.
_BETWEEN = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, 1000.0)
_CORRELATIONS = (0.0, 0.5, 0.8, 0.95)
_CELLS = tuple((between, correlation) for between in _BETWEEN for correlation in _CORRELATIONS)
# The spread of λ within a suite, in steps of λ; the share of outlying metrics, and their likelihood.
_WIDTHS = (0.3, 1.0, 2.0)
_ODD_ONES = {0.003: 0.8, 0.03: 0.16, 0.3: 0.04}
_WORTH_A_STEP = 0.05  # the p-value from which an older step is reported rather than that of the last run


@dataclass(frozen=True)
class Steps:
    """For each metric `(metrics,)` the likeliest of the steps that were sought, or the last if none is likely.

    `length` is the number of runs after the step, `size` its logarithm. `p` is two-sided and corrected for the
    number of steps sought, 1 where it is unknown; `rise` and `fall` are the same one-sided. `deviation`
    is the standard deviation of `size`, with `freedom` degrees of freedom; `repetition` that of one repetition.
    """

    length: Ints
    size: Floats
    deviation: Floats
    freedom: Floats
    p: Floats
    rise: Floats
    fall: Floats
    repetition: Floats


class _Cells(NamedTuple):
    """Quantities that depend on the counts of repetitions alone; `(cells, ...)` or `(steps, cells)`."""

    inverse: Floats
    ones: Floats
    crossed: Floats
    squared: Floats
    constant: Floats


def steps(data: Levels, lengths: tuple[int, ...], extra: Floats) -> Steps:
    """Detects steps before the last 1, 2, ... runs (`lengths`, the shortest first).

    `extra` `(metrics, lengths)` is variance of a step's size from other sources, such as the estimate of a common
    movement.
    """
    metrics = len(data.counts)
    shape = (metrics, len(lengths), len(_CELLS))
    size, variance, residual, constant = (np.zeros(shape) for _ in range(4))
    runs = (data.counts > 0).sum(axis=1)
    patterns, belongs = np.unique(data.counts, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(belongs.reshape(-1) == number)
        size[rows], variance[rows], residual[rows], constant[rows] = _fit(
            data.centres[rows], tuple(pattern.tolist()), lengths
        )
    freedom = (data.freedom + runs - 2.0)[:, None, None]
    # Constant repetitions in runs that differ would lie beyond the largest λ of the grid.
    least = data.freedom[:, None] * residual[..., 0] / np.maximum(runs - 2, 1)[:, None] / _BETWEEN[-1]
    within = np.maximum(data.within[:, None], least)[..., None]
    squares = np.maximum(within + residual, 1e-300)
    known = freedom > 0
    per_repetition = np.where(known, squares / np.where(known, freedom, 1.0), np.nan)
    weights = _weights(constant - 0.5 * freedom * np.log(squares))
    variance = per_repetition * variance + extra[..., None]
    return _likeliest(size, variance, weights, freedom, per_repetition, lengths)


def _fit(
    centres: Floats, counts: tuple[int, ...], lengths: tuple[int, ...]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns size, variance in units of σ², residual sum of squares, and the constant of the log-likelihood."""
    there = np.array(counts) > 0
    y = centres[:, there]
    y = y - y[:, -1:]  # rounding: levels may lie far from 0
    cells = _cells(counts, lengths)
    after = _after(there, lengths)
    weighted = np.einsum("fn,cnm->fcm", y, cells.inverse)
    total = weighted.sum(axis=2)[:, None, :]
    stepped = np.einsum("fcm,sm->fsc", weighted, after)
    whole = np.einsum("fcm,fm->fc", weighted, y)[:, None, :]
    information = cells.squared - cells.crossed**2 / cells.ones
    identified = information > 1e-9 * cells.ones
    information = np.where(identified, information, 1.0)
    size = np.where(identified, (stepped - cells.crossed * total / cells.ones) / information, 0.0)
    residual = np.maximum(whole - total**2 / cells.ones - size**2 * information, 0.0)
    variance = np.broadcast_to(np.where(identified, 1 / information, np.inf), size.shape)
    return size, variance, residual, np.broadcast_to(cells.constant, size.shape)


@lru_cache(maxsize=64)
def _cells(counts: tuple[int, ...], lengths: tuple[int, ...]) -> _Cells:
    there = np.array(counts) > 0
    when = np.flatnonzero(there)
    after = _after(there, lengths)
    distance = np.abs(when[:, None] - when)
    sampling = np.diag(1 / np.array(counts)[there])
    covariance = np.stack([sampling + between * correlation**distance for between, correlation in _CELLS])
    inverse = np.linalg.inv(covariance)
    ones = inverse.sum(axis=(1, 2))
    crossed = np.einsum("sn,cnm->sc", after, inverse)
    squared = np.einsum("sn,cnm,sm->sc", after, inverse, after)
    information = np.maximum(ones * squared - crossed**2, 1e-300)
    constant = -0.5 * (np.linalg.slogdet(covariance)[1] + np.log(information))
    return _Cells(inverse, ones, crossed, squared, constant)


def _after(there: np.ndarray, lengths: tuple[int, ...]) -> Floats:
    """Returns `(steps, runs that are there)`: 1 after the step."""
    runs = len(there)
    return np.stack([(np.arange(runs) >= runs - length)[there].astype(float) for length in lengths])


def _weights(likelihood: Floats) -> Floats:
    """Returns posterior weights `(metrics, steps, cells)`.

    Suites are weighted by the joint likelihood of all metrics, without the runs in which a step may be.
    """
    relative = np.exp(likelihood - likelihood.max(axis=2, keepdims=True))
    suites, prior = _suites()
    evidence = np.log(relative[:, -1] @ suites.T).sum(axis=0) + np.log(prior)
    learned = np.exp(evidence - evidence.max()) @ suites
    weights: Floats = relative * learned
    weights /= weights.sum(axis=2, keepdims=True)
    return weights


@lru_cache(maxsize=1)
def _suites() -> tuple[Floats, Floats]:
    """Returns the possible suites, and their prior probabilities.

    `(suites, cells)`, the shares of their metrics that have each λ and φ: most metrics are near some λ and have the
    same φ, and outlying ones may be anywhere. `(suites,)`: half of all suites are steady, their λ being 0.
    """
    position = np.arange(len(_BETWEEN))
    anywhere = np.full(len(_CELLS), 1 / len(_CELLS))
    suites, steady, odds = [], [], []
    for centre, width, same, odd in product(position, _WIDTHS, np.eye(len(_CORRELATIONS)), _ODD_ONES):
        near = np.exp(-0.5 * ((position - centre) / width) ** 2)
        suites.append((1 - odd) * np.outer(near / near.sum(), same).ravel() + odd * anywhere)
        steady.append(centre == 0 and width == min(_WIDTHS))
        odds.append(_ODD_ONES[odd])
    prior = np.array(odds)
    for kind in (np.array(steady), np.logical_not(steady)):
        prior[kind] /= 2 * prior[kind].sum()
    return np.stack(suites), prior


def _likeliest(
    size: Floats,
    variance: Floats,
    weights: Floats,
    freedom: Floats,
    per_repetition: Floats,
    lengths: tuple[int, ...],
) -> Steps:
    degrees = np.maximum(freedom, 1.0)
    with np.errstate(invalid="ignore"):
        t = np.where(np.isfinite(variance) & (freedom > 0), size / np.sqrt(variance), 0.0)
    below = special.stdtr(degrees, -np.abs(t))
    rises = (weights * np.where(t > 0, below, 1 - below)).sum(axis=2)
    falls = (weights * np.where(t > 0, 1 - below, below)).sum(axis=2)
    looks = float(len(lengths))
    best = np.minimum(rises, falls).argmin(axis=1)
    rows = np.arange(len(best))
    p = np.minimum(1.0, 2 * looks * np.minimum(rises, falls)[rows, best])
    best = np.where(p <= _WORTH_A_STEP, best, 0)
    weights, size, variance = weights[rows, best], size[rows, best], variance[rows, best]
    mean = (weights * size).sum(axis=1)
    # A mixture of t distributions, by its first two moments.
    around = (weights * (variance + (size - mean[:, None]) ** 2)).sum(axis=1)
    return Steps(
        length=np.array(lengths)[best],
        size=mean,
        deviation=np.sqrt(around),
        freedom=freedom[:, 0, 0],
        p=p,
        rise=np.minimum(1.0, looks * rises.min(axis=1)),
        fall=np.minimum(1.0, looks * falls.min(axis=1)),
        repetition=np.sqrt((weights * per_repetition[rows, best]).sum(axis=1)),
    )
