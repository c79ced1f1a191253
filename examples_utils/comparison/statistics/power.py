"""The smallest change that a night can show: now, and with more nights before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels
from examples_utils.comparison.statistics.run_variation import CELLS
from examples_utils.comparison.statistics.step_detection import Fit, fitted, looks_of, variance_of_step

_POWER = 0.8
_LARGEST = 3.0  # a change of this size, as a logarithm, is more than anything that is looked for
_HALVINGS = 16
_QUANTILES = (0.2, 0.5, 0.8)  # of how much levels vary: a future is simulated for each


class NightRule(NamedTuple):
    """How a night is judged.

    `steps` is the number of steps that it looks for, `confirmations` that of the repetitions with which it confirms a
    change, and `level` that of the test, for all metrics together.
    """

    steps: int
    confirmations: int
    level: float


def smallest_changes(data: Levels, groups: Ints, least: Floats, rule: NightRule, more: int = 0) -> Floats:
    """Returns the size `(metrics,)`, as a logarithm, of a change that one night shows with 80% power.

    It is infinite where there is no earlier night, or repetitions do not vary.

    Args:
        data: The nights; the last run is the night in question.
        groups: `(metrics,)` the number of the benchmark that a metric belongs to, from 0.
        least: `(metrics,)` the smallest size that matters.
        rule: How a night is judged.
        more: Nights that come in addition. They are simulated: how much they vary is drawn from what `data` suggest,
            with the same random numbers in every call.
    """
    now = fitted(data, (1,), groups)
    usual = max(1, int(np.median(data.counts[data.counts > 0])))
    counts = np.where(data.counts[:, :-1] > 0, usual, 0)
    counts = np.hstack([counts, np.full((len(counts), more + 1), usual)])
    if not more:
        return _smallest(now, counts, least, rule)
    futures = [fitted(_future(now, counts, quantile), (1,), groups) for quantile in _QUANTILES]
    return np.asarray(np.median([_smallest(future, counts, least, rule) for future in futures], axis=0))


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


def _smallest(fit: Fit, counts: Ints, least: Floats, rule: NightRule) -> Floats:
    """Returns the sizes that are significant and matter, plus what chance takes from them in one of five nights."""
    largest = rule.level / (2 * len(counts) * looks_of(rule.steps)[0])
    earlier = (counts[:, :-1] > 0).sum(axis=1)
    usual = int(counts.max())
    smallest = np.full(len(counts), np.inf)
    for nights in np.unique(earlier[earlier > 0]).tolist():
        rows = (earlier == nights) & (fit.freedom[:, 0, 0] > 0)
        variance = variance_of_step((usual,) * nights + (usual + rule.confirmations,))
        deviation = np.sqrt(fit.per_repetition[rows, 0] * variance)
        weights, freedom = fit.weights[rows, 0], fit.freedom[rows, 0]
        visible = np.maximum(_mixture_quantile(weights, deviation, freedom, largest), least[rows])
        smallest[rows] = visible + special.ndtri(_POWER) * (weights * deviation).sum(axis=1)
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
