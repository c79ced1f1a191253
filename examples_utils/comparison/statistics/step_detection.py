"""Detects a step in a series of runs whose levels vary by themselves.

The level of a metric in run i is  m + s·[i is after the step] + u_i + e_i,  where u is the run's own level, an
autoregressive process of variance λσ² and lag-one correlation φ, and e_i is the mean of n_i repetitions, of variance
σ²/n_i. For given λ and φ the step is a generalised least squares problem with a t statistic. λ and φ are unknown and
badly determined by one metric alone; so a grid of them is weighted by its restricted likelihood for this metric, times
what the other metrics of the suite suggest (`run_variation`), and the step's p-value is the weighted mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels
from examples_utils.comparison.statistics.run_variation import BETWEEN, CELLS, learned_from_others

_WORTH_A_STEP = 0.05  # the p-value from which an older step is reported rather than that of the last run
_STEPS = 0.1  # share of the metrics that have a step, before the data
_LARGEST = 1.0  # its logarithm is anywhere from −0.5 to 0.5


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


class _Parts(NamedTuple):
    """Least squares, `(metrics, steps, cells)`; without a step, `(metrics, cells)`.

    The variance is that of the size, in units of σ²; `constant` that of the log-likelihood.
    """

    size: Floats
    variance: Floats
    residual: Floats
    constant: Floats
    residual_without: Floats
    constant_without: Floats


class Fit(NamedTuple):
    """Every step in every cell, broadcast to `(metrics, steps, cells)`.

    `variance` is that of the size, in units of σ²; `weights` sum to 1 over the cells. `freedom` is that of σ², which is
    `per_repetition`, NaN where it is unknown.
    """

    size: Floats
    variance: Floats
    weights: Floats
    freedom: Floats
    per_repetition: Floats


def steps(data: Levels, lengths: tuple[int, ...], extra: Floats, groups: Ints | None = None) -> Steps:
    """Detects steps before the last 1, 2, ... runs (`lengths`, the shortest first).

    `extra` `(metrics, lengths)` is variance of a step's size from other sources, such as the estimate of a common
    movement. `groups` `(metrics,)` numbers the benchmarks from 0, whose metrics change together; by default each metric
    is one.
    """
    fit = fitted(data, lengths, np.arange(len(data.counts)) if groups is None else groups)
    variance = fit.per_repetition * fit.variance + extra[..., None]
    return _likeliest(fit, variance, lengths)


def fitted(data: Levels, lengths: tuple[int, ...], groups: Ints) -> Fit:
    """Fits each of the steps in each cell, and weights the cells."""
    parts = _parts(data, lengths)
    runs = (data.counts > 0).sum(axis=1)
    freedom = (data.freedom + runs - 2.0)[:, None, None]
    # Constant repetitions in runs that differ would lie beyond the largest λ of the grid.
    least = data.freedom * parts.residual[..., 0].min(axis=1) / np.maximum(runs - 2, 1) / BETWEEN[-1]
    within = np.maximum(data.within, least)[:, None]
    squares = np.maximum(within[..., None] + parts.residual, 1e-300)
    stepped = parts.constant + _scale(freedom, squares)
    without = np.maximum(within + parts.residual_without, 1e-300)
    level = parts.constant_without + _scale(freedom[..., 0] + 1, without)
    return Fit(
        size=parts.size,
        variance=parts.variance,
        weights=_weights(stepped, level, groups),
        freedom=freedom,
        per_repetition=np.where(freedom > 0, squares / np.maximum(freedom, 1), np.nan),
    )


def _parts(data: Levels, lengths: tuple[int, ...]) -> _Parts:
    shape = (len(data.counts), len(lengths), len(CELLS))
    parts = _Parts(*(np.zeros(shape) for _ in range(4)), *(np.zeros((shape[0], shape[2])) for _ in range(2)))
    patterns, belongs = np.unique(data.counts, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(belongs.reshape(-1) == number)
        for whole, part in zip(
            parts, _fit(data.centres[rows], tuple(pattern.tolist()), lengths), strict=True
        ):
            whole[rows] = part
    return parts


def _scale(freedom: Floats, squares: Floats) -> Floats:
    """Returns the logarithm of the integral over σ of a normal density of so many degrees of freedom."""
    logarithm: Floats = special.gammaln(np.maximum(freedom, 1) / 2) - freedom / 2 * np.log(np.pi * squares)
    return logarithm


def _fit(centres: Floats, counts: tuple[int, ...], lengths: tuple[int, ...]) -> _Parts:
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
    around = whole - total**2 / cells.ones
    return _Parts(
        size=size,
        variance=np.broadcast_to(np.where(identified, 1 / information, np.inf), size.shape),
        residual=np.maximum(around - size**2 * information, 0.0),
        # A step that no run shows is no explanation.
        constant=np.where(identified, cells.constant - 0.5 * np.log(information), -np.inf)
        + np.zeros_like(size),
        residual_without=np.maximum(around[:, 0], 0.0),
        constant_without=np.broadcast_to(cells.constant, (len(y), len(CELLS))),
    )


def variance_of_step(counts: tuple[int, ...]) -> Floats:
    """Returns the variance `(cells,)`, in units of σ², of a step before the last of runs of so many repetitions."""
    cells = _cells(counts, (1,))
    variance: Floats = cells.ones / (cells.ones * cells.squared[0] - cells.crossed[0] ** 2)
    return variance


@lru_cache(maxsize=64)
def _cells(counts: tuple[int, ...], lengths: tuple[int, ...]) -> _Cells:
    there = np.array(counts) > 0
    when = np.flatnonzero(there)
    after = _after(there, lengths)
    distance = np.abs(when[:, None] - when)
    sampling = np.diag(1 / np.array(counts)[there])
    covariance = np.stack([sampling + between * correlation**distance for between, correlation in CELLS])
    inverse = np.linalg.inv(covariance)
    ones = inverse.sum(axis=(1, 2))
    crossed = np.einsum("sn,cnm->sc", after, inverse)
    squared = np.einsum("sn,cnm,sm->sc", after, inverse, after)
    constant = -0.5 * (np.linalg.slogdet(covariance)[1] + np.log(ones))
    return _Cells(inverse, ones, crossed, squared, constant)


def _after(there: np.ndarray, lengths: tuple[int, ...]) -> Floats:
    """Returns `(steps, runs that are there)`: 1 after the step."""
    runs = len(there)
    return np.stack([(np.arange(runs) >= runs - length)[there].astype(float) for length in lengths])


def _weights(stepped: Floats, level: Floats, groups: Ints) -> Floats:
    """Returns posterior weights `(metrics, steps, cells)` from log-likelihoods with each of the steps, and without.

    What a metric contributes to the suite's evidence is a mixture: it has no step, or any of those that are sought.
    Its own weights leave the size of the step open, so that a step does not count as variation.
    """
    most = np.maximum(stepped.max(axis=(1, 2)), level.max(axis=1))[:, None]
    with_step = np.exp(stepped - most[..., None])
    each = _STEPS / stepped.shape[1] / _LARGEST
    mixture = (1 - _STEPS) * np.exp(level - most) + each * with_step.sum(axis=1)
    own = np.exp(stepped - np.where(np.isfinite(m := stepped.max(axis=2, keepdims=True)), m, 0.0))
    weights: Floats = np.where(np.isfinite(m), own, 1.0) * learned_from_others(mixture, groups)[:, None]
    weights /= weights.sum(axis=2, keepdims=True)
    return weights


def _likeliest(fit: Fit, variance: Floats, lengths: tuple[int, ...]) -> Steps:
    size, weights, freedom = fit.size, fit.weights, fit.freedom
    degrees = np.maximum(freedom, 1.0)
    with np.errstate(invalid="ignore"):
        t = np.where(np.isfinite(variance) & (freedom > 0), size / np.sqrt(variance), 0.0)
    below = special.stdtr(degrees, -np.abs(t))
    rises = (weights * np.where(t > 0, below, 1 - below)).sum(axis=2)
    falls = (weights * np.where(t > 0, 1 - below, below)).sum(axis=2)
    looks = looks_of(len(lengths))
    rises, falls = looks * rises, looks * falls
    best = np.minimum(rises, falls).argmin(axis=1)
    rows = np.arange(len(best))
    p = np.minimum(1.0, 2 * np.minimum(rises, falls)[rows, best])
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
        rise=np.minimum(1.0, rises.min(axis=1)),
        fall=np.minimum(1.0, falls.min(axis=1)),
        repetition=np.sqrt((weights * fit.per_repetition[rows, best]).sum(axis=1)),
    )


def looks_of(steps: int) -> Floats:
    """Returns the factors of the p-values `(steps,)` of steps that are sought together, the newest first.

    Bonferroni's correction with weights: half of the level is for the newest step, half of the rest for the one
    before, and so on, so that looking for older steps costs the newest little.
    """
    factors: Floats = np.exp2(np.arange(1, steps + 1))
    factors[-1] /= 2
    return factors
