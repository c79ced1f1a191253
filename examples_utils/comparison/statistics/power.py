"""The smallest change that a night can show: now, and with more nights before it."""

from __future__ import annotations

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels
from examples_utils.comparison.statistics.run_variation import CELLS
from examples_utils.comparison.statistics.step_detection import Fit, fitted, looks_of, variance_of_step

_POWER = 0.8
_LARGEST = 3.0  # a change of this size, as a logarithm, is more than anything that is looked for
_HALVINGS = 30
_QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of how much levels vary: a future is simulated for each


def smallest_changes(data: Levels, steps: int, confirmations: int, level: float, more: int = 0) -> Floats:
    """Returns the size `(metrics,)`, as a logarithm, of a change that one night shows with 80% power.

    Args:
        data: The nights; the last run is the night in question.
        steps: The number of steps that a night looks for.
        confirmations: The number of repetitions with which a night confirms a change.
        level: The level of the test, for all metrics together.
        more: Nights that come in addition. They are simulated: how much they vary is drawn from what `data` suggest,
            with the same random numbers in every call.
    """
    usual = max(1, int(np.median(data.counts[data.counts > 0])))
    largest = level / (2 * len(data.counts) * looks_of(steps)[0])
    now = fitted(data, (1,))
    if not more:
        return _smallest(now, data.counts, usual, confirmations, largest)
    counts = np.hstack(
        [np.where(data.counts[:, :-1] > 0, usual, 0), np.full((len(data.counts), more + 1), usual)]
    )
    futures = [fitted(_future(now, counts, quantile), (1,)) for quantile in _QUANTILES]
    each = [_smallest(future, counts, usual, confirmations, largest) for future in futures]
    return np.asarray(np.median(each, axis=0))


def _future(now: Fit, counts: Ints, quantile: float) -> Levels:
    """Returns simulated nights in which levels vary as the quantile of `now` suggests, alike for all metrics."""
    cell = (np.cumsum(now.weights[:, 0], axis=1) < quantile).sum(axis=1).clip(max=len(CELLS) - 1)
    between, correlation = np.array(CELLS)[cell].T
    variance = now.per_repetition[:, 0][np.arange(len(cell)), cell % now.per_repetition.shape[2]]
    variance = np.nan_to_num(variance)
    own, sampling = np.random.default_rng(1).standard_normal((2, *counts.shape))
    for night in range(1, counts.shape[1]):
        own[:, night] = correlation * own[:, night - 1] + np.sqrt(1 - correlation**2) * own[:, night]
    levels = np.sqrt(variance * between)[:, None] * own + np.sqrt(variance / counts.max())[:, None] * sampling
    freedom = np.maximum(counts - 1, 0).sum(axis=1)
    nothing = np.empty((*counts.shape, 0))
    return Levels(nothing, nothing, counts, np.where(counts, levels, np.nan), variance * freedom, freedom)


def _smallest(fit: Fit, counts: Ints, usual: int, confirmations: int, largest: float) -> Floats:
    """Returns the sizes whose one-sided p-value is `largest`, plus what chance may take from them in 80% of the nights.

    The result is infinite where there is no earlier night, or no spread.
    """
    earlier = (counts[:, :-1] > 0).sum(axis=1)
    smallest = np.full(len(counts), np.inf)
    for nights in np.unique(earlier[earlier > 0]).tolist():
        rows = (earlier == nights) & (fit.freedom[:, 0, 0] > 0)
        variance = variance_of_step((usual,) * nights + (usual + confirmations,))
        deviation = np.sqrt(fit.per_repetition[rows, 0] * variance)
        weights, freedom = fit.weights[rows, 0], fit.freedom[rows, 0]
        quantile = _mixture_quantile(weights, deviation, freedom, largest)
        smallest[rows] = quantile + special.ndtri(_POWER) * (weights * deviation).sum(axis=1)
    return smallest


def _mixture_quantile(weights: Floats, deviation: Floats, freedom: Floats, tail: float) -> Floats:
    """Returns the upper quantile of a mixture of t distributions, by bisection."""
    low, high = np.zeros(len(weights)), np.full(len(weights), _LARGEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        t = middle[:, None] / np.maximum(deviation, 1e-12)
        beyond = (weights * special.stdtr(freedom, -t)).sum(axis=1) <= tail
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return high
