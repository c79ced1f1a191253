"""From repetitions to the level of a metric in each run: robust means of logarithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WIDEST = 3.0  # in standard deviations; a repetition further out is moved there
_FROM_10_TO_90 = (
    2.563  # the distance between these quantiles of a normal distribution, in standard deviations
)


@dataclass(frozen=True)
class Levels:
    """Metrics × runs, as natural logarithms.

    `values` and `drawn_in` `(metrics, runs, repetitions)`, padded with NaN, are the original and the winsorised
    repetitions. `counts` and `centres` `(metrics, runs)`: their number, and the mean of the winsorised ones, NaN if
    there are none. `within` and `freedom` `(metrics,)` are the sum of squares around the centres of their runs, and its
    degrees of freedom.
    """

    values: Floats
    drawn_in: Floats
    counts: Ints
    centres: Floats
    within: Floats
    freedom: Ints

    def shifted(self, shift: Floats) -> Levels:
        """Returns a copy with `shift`, which is broadcast to `(metrics, runs)`, subtracted from every value."""
        each = np.asarray(shift)[..., None]
        return replace(
            self,
            values=self.values - each,
            drawn_in=self.drawn_in - each,
            centres=self.centres - each[..., 0],
        )

    def part(self, metric: int, runs: slice) -> Levels:
        """Returns one metric in some of the runs."""
        one = slice(metric, metric + 1)
        return _levels(self.values[one, runs], self.drawn_in[one, runs], self.counts[one, runs])

    def first(self, runs: int) -> Levels:
        """Returns all metrics in the first runs."""
        kept = slice(runs)
        return _levels(self.values[:, kept], self.drawn_in[:, kept], self.counts[:, kept])


def levels(repetitions: Sequence[Sequence[Sequence[float]]], runs: int) -> Levels:
    """Returns the levels of metrics whose `repetitions[metric][run]` are all above 0; `runs` is the same for all.

    A level is a winsorised mean, so that one outlier moves it little, but two modes keep their weights.
    """
    counts = np.array([[len(run) for run in metric] for metric in repetitions], np.int64).reshape(-1, runs)
    width = max(1, int(counts.max(initial=0)))
    present = np.arange(width) < counts[..., None]
    values = np.full(present.shape, np.nan)
    flat = chain.from_iterable(chain.from_iterable(repetitions))
    values[present] = np.log(np.fromiter(flat, float, int(counts.sum())))
    return _levels(values, winsorised(values, counts), counts)


def _levels(values: Floats, drawn_in: Floats, counts: Ints) -> Levels:
    present = np.arange(values.shape[2]) < counts[..., None]
    centres = np.where(present, drawn_in, 0.0).sum(axis=2) / np.where(counts, counts, np.nan)
    within = np.where(present, (drawn_in - centres[..., None]) ** 2, 0.0).sum(axis=(1, 2))
    return Levels(values, drawn_in, counts, centres, within, np.maximum(counts - 1, 0).sum(axis=1))


def winsorised(values: Floats, counts: Ints) -> Floats:
    """Returns values `(metrics, runs, repetitions)` winsorised at three standard deviations around their run's median.

    The standard deviation of a metric comes from quantiles over all runs (Tukey and McLaughlin 1963; the mean of the
    result is Huber's one-step estimator).
    """
    middle = medians(values)[..., None]
    residuals = values - middle
    limit = _WIDEST * _spread(residuals, counts)[:, None, None]
    drawn_in: Floats = middle + np.clip(residuals, -limit, limit)
    return drawn_in


def medians(values: Floats) -> Floats:
    """Takes medians over the last axis, ignoring NaN unless all are NaN; `np.nanmedian` would take a loop."""
    in_order = np.sort(values, axis=-1)  # NaN last
    number = np.isfinite(values).sum(axis=-1)[..., None]
    lower = np.take_along_axis(in_order, np.maximum(number - 1, 0) // 2, axis=-1)
    upper = np.take_along_axis(in_order, np.minimum(number // 2, values.shape[-1] - 1), axis=-1)
    middle: Floats = 0.5 * (lower + upper)[..., 0]
    return middle


def _spread(residuals: Floats, counts: Ints) -> Floats:
    """Returns a standard deviation for each metric: from quantiles, but at least a third of the ordinary one.

    Without that bound, a metric with nine in ten equal repetitions would have none.
    """
    pooled = np.sort(residuals.reshape(len(residuals), residuals.shape[1] * residuals.shape[2]), axis=1)
    last = np.maximum(counts.sum(axis=1) - 1, 0)
    rows = np.arange(len(pooled))
    low = pooled[rows, np.floor(0.1 * last).astype(int)]
    high = pooled[rows, np.ceil(0.9 * last).astype(int)]
    freedom = np.maximum(np.maximum(counts - 1, 0).sum(axis=1), 1)
    ordinary = np.sqrt(np.where(np.isfinite(pooled), pooled**2, 0.0).sum(axis=1) / freedom)
    spread: Floats = np.maximum((high - low) / _FROM_10_TO_90, ordinary / 3)
    return spread
