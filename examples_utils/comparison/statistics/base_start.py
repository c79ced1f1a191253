"""Where the base of a night begins: at the last step that earlier nights have shown."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from examples_utils.comparison.statistics.levels import Floats, Ints, medians
from examples_utils.comparison.statistics.segmentation import steps_of

MIN_NIGHTS = 3  # of a level
_LEAST_MOVEMENT = (
    2.5  # standard deviations of a night: a step that is significant after so few nights is larger
)


def base_starts(levels: Floats, thresholds: Floats, recent: int) -> Ints:
    """Returns the first night `(metrics,)` of the current level of each metric, 0 if it never changed.

    A step that is still new, less than three nights old, is a change to report, not a base. While one is new, it would
    hide an older one just before it: so the nights without the last 1 to `recent` ones are searched, too.

    Args:
        levels: `(metrics, nights)` logarithms of the levels of the earlier nights, NaN where there is none.
        thresholds: `(metrics,)` the smallest step that matters, as a share.
        recent: The number of nights for which a step is reported after the first one.
    """
    starts = np.zeros(len(levels), np.int64)
    if levels.shape[1] <= MIN_NIGHTS:
        return starts
    limit = _least_movement(levels, thresholds)
    for without in range(recent + 1):
        nights = levels.shape[1] - without
        if nights <= MIN_NIGHTS:
            break
        possible = ~(_movement(levels[:, :nights]) < limit)
        if without:
            newest, before = medians(levels[:, nights:]), medians(levels[:, nights - MIN_NIGHTS : nights])
            possible &= ~(np.abs(newest - before) < limit)
        for metric in np.flatnonzero(possible).tolist():
            there = np.flatnonzero(np.isfinite(levels[metric, :nights]))
            if len(there) > 1 and (found := steps_of(levels[metric, there], float(thresholds[metric]))):
                starts[metric] = max(starts[metric], there[found[-1].place])
    return starts


def _least_movement(levels: Floats, thresholds: Floats) -> Floats:
    """Returns how far a metric with a step moves at least: most do not, and the search takes many times as long."""
    noise = 1.4826 * medians(np.abs(np.diff(levels))) / np.sqrt(2)
    return np.asarray(np.fmax(0.5 * np.log1p(thresholds), _LEAST_MOVEMENT * noise))


def _movement(levels: Floats) -> Floats:
    """Returns the range of the running median."""
    running = medians(sliding_window_view(levels, MIN_NIGHTS, axis=1))
    highest = np.nanmax(running, axis=1, initial=-np.inf)
    return np.asarray(highest - np.nanmin(running, axis=1, initial=np.inf))
