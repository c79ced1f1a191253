"""The noise between two single runs that their repetitions do not show: how much a metric's level varies by itself.

Repetitions of one run share its moment. How much levels of the same code differ from run to run comes, in this order,
from earlier runs of the same metrics, from the changes of the whole suite (of which few metrics change at once), and
from a weak assumption about machines, which counts little next to either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples_utils.comparison.statistics.levels import Floats, Ints
from examples_utils.comparison.statistics.variance_shrinkage import shrunk_variances

# The steadiest third of 24 public benchmark series varies by 0.4 to 1.1% from night to night, in the median 0.8%.
_USUAL = 0.008
_WEIGHT = 4.0  # degrees of freedom of that assumption
_MIN_METRICS = 4  # from which the suite's median movement, and the spread around it, are estimated
_EFFICIENCY = 0.6  # degrees of freedom of the robust spread, for each metric
_MEDIAN_OF_NORMAL = 0.6745  # of absolute deviations, in standard deviations
_WIDEST = 3.0  # standard deviations; a metric that moved further counts as if it had moved so far
_LARGEST_OF_MACHINE = 0.03  # a movement of the whole suite up to this size may be the machine's
_MIN_CHANGES = 3  # from one run of the history to the next


@dataclass(frozen=True)
class RunNoise:
    """`(metrics,)`: the variance of the difference of two runs beyond their repetitions, and its degrees of freedom.

    `from_history` is where earlier runs of the metrics determine it; `metrics` is the number of metrics whose changes
    determine the rest, 0 if they are too few.
    """

    variance: Floats
    freedom: Floats
    from_history: np.ndarray
    metrics: int = 0


def given(share: float, metrics: int) -> RunNoise:
    """Returns a known noise: `share` is the standard deviation of one run."""
    return RunNoise(np.full(metrics, 2 * share**2), np.full(metrics, np.inf), np.zeros(metrics, bool))


def estimated(sizes: Floats, sampling: Floats, signs: Floats, earlier: Floats, within: Floats) -> RunNoise:
    """Returns the noise of two runs.

    Args:
        sizes: `(metrics,)` the logarithms of new ÷ base.
        sampling: `(metrics,)` the variance of `sizes` due to repetitions.
        signs: `(metrics,)` 1 where larger values are slower, else −1.
        earlier: `(metrics, runs)` the levels of earlier runs, oldest first, NaN where there is none.
        within: `(metrics, runs)` the variance of these levels due to their repetitions.
    """
    variance, freedom, metrics = _of_suite(sizes * signs, sampling)
    own, degrees = _of_history(earlier, within)
    known = degrees >= _MIN_CHANGES
    if known.any():
        least = 1e-12  # a metric that never changed
        own[known], freedom_of_own = np.maximum(own[known], least), degrees[known]
        shrunk, shrunk_freedom = shrunk_variances(own[known], freedom_of_own)
        # Metrics without a history of their own are like the rest of the suite.
        middle, fewest = float(np.median(shrunk)), float(shrunk_freedom.min())
        variance, freedom = np.full(len(sizes), middle), np.full(len(sizes), fewest)
        variance[known], freedom[known] = shrunk, shrunk_freedom
        return RunNoise(variance, freedom, np.ones(len(sizes), bool))
    return RunNoise(variance, freedom, known, metrics)


def _of_suite(slowness: Floats, sampling: Floats) -> tuple[Floats, Floats, int]:
    """Weighs the assumption with the spread of the changes around their median.

    A movement of the median adds to the noise up to `_LARGEST_OF_MACHINE`, as the machine may be its cause.
    """
    assumed = 2 * _USUAL**2
    metrics = len(slowness)
    if metrics < _MIN_METRICS:
        return np.full(metrics, assumed), np.full(metrics, _WEIGHT), 0
    movement = float(np.median(slowness))
    deviations = np.abs(slowness - movement)
    spread = float(np.median(deviations)) / _MEDIAN_OF_NORMAL
    squares = float(np.mean(np.minimum(deviations, _WIDEST * spread) ** 2))
    beyond = max(squares - float(np.median(sampling)), 0.0)
    degrees = _EFFICIENCY * metrics
    pooled = (_WEIGHT * assumed + degrees * beyond) / (_WEIGHT + degrees)
    variance = pooled + min(movement**2, _LARGEST_OF_MACHINE**2)
    return np.full(metrics, variance), np.full(metrics, _WEIGHT + degrees), metrics


def _of_history(levels: Floats, within: Floats) -> tuple[Floats, Ints]:
    """Returns the variance of a change from one run to the next beyond repetitions, and the number of changes.

    Changes, not levels: steps in the history are few of them, and are drawn in to three standard deviations.
    """
    variance, degrees = np.zeros(len(levels)), np.zeros(len(levels), np.int64)
    for metric, (row, own) in enumerate(zip(levels, within, strict=True)):
        there = np.isfinite(row)
        changes = np.abs(np.diff(row[there]))
        if len(changes) < _MIN_CHANGES:
            continue
        limit = _WIDEST * float(np.median(changes)) / _MEDIAN_OF_NORMAL
        squares = np.mean(np.minimum(changes, limit or np.inf) ** 2)
        variance[metric] = max(squares - 2 * float(np.mean(own[there])), 0.0)
        # Successive changes share a run: their squares are correlated by 1/4, which leaves two thirds of the freedom.
        # The limit, which comes from the same changes, takes about a quarter of that.
        degrees[metric] = max(_MIN_CHANGES, len(changes) // 2)
    return variance, degrees
