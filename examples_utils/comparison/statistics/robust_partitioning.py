"""Partitions a series into levels with a loss that single outliers cannot move."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from examples_utils.comparison.statistics.levels import Floats

# An outlier costs as much as 3 standard deviations. Leaving a level and coming back costs two steps: more than two
# outliers in succession, less than three.
_LARGEST_LOSS = 9.0
_STEP_COST = 10.0
_LEVEL_WINDOWS = (3, 5, 9)  # nights whose medians and means are possible levels
_MOST_LEVELS = 600  # of a series; longer ones are represented by quantiles


def partition(scaled: Floats) -> list[int]:
    """Returns the first index of each new level in a series `(nights,)` in units of its noise.

    Minimises the sum of min(residual², 9) plus a cost of 10 per step (biweight loss; Fearnhead and Rigaill 2019). The
    minimum is exact over a finite set of levels: the values and their running medians and means.
    """
    levels = _levels(scaled)
    loss = np.minimum((scaled[:, None] - levels) ** 2, _LARGEST_LOSS)
    cost = loss[0]
    stepped = np.zeros(loss.shape, dtype=bool)
    origin = np.zeros(len(scaled), dtype=int)
    for night in range(1, len(scaled)):
        origin[night] = cost.argmin()
        by_step = cost[origin[night]] + _STEP_COST
        stepped[night] = by_step < cost
        cost = np.minimum(cost, by_step) + loss[night]
    places = []
    level = int(cost.argmin())
    for night in range(len(scaled) - 1, 0, -1):
        if stepped[night, level]:
            places.append(night)
            level = int(origin[night])
    return places[::-1]


def segment_cost(scaled: Floats) -> float:
    """Returns the loss of one level for a whole segment, and the cost of the step that begins it."""
    middle = np.median(scaled)
    near = scaled[np.abs(scaled - middle) <= np.sqrt(_LARGEST_LOSS)]
    levels = np.array([middle, near.mean() if len(near) else middle])
    return _STEP_COST + float(np.minimum((scaled[:, None] - levels) ** 2, _LARGEST_LOSS).sum(axis=0).min())


def _levels(scaled: Floats) -> Floats:
    found = [scaled]
    for nights in _LEVEL_WINDOWS:
        if len(scaled) >= nights:
            windows = sliding_window_view(scaled, nights)
            found += [np.median(windows, axis=1), windows.mean(axis=1)]
    levels = np.unique(np.concatenate(found))
    if len(levels) > _MOST_LEVELS:
        levels = np.quantile(levels, np.linspace(0, 1, _MOST_LEVELS), method="nearest")
    return np.asarray(levels, dtype=float)
