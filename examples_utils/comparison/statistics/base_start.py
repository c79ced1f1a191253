"""Where the base of a night begins: at the last step that earlier nights have shown."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from examples_utils.comparison.statistics.levels import Floats, Ints, medians
from examples_utils.comparison.statistics.segmentation import steps_of

_SHORTEST = 3  # nights that a level lasts
_LEAST_RANGE = 2.5  # standard deviations of a night: any significant step moves the running median further


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
    for without in range(recent + 1):
        nights = levels.shape[1] - without
        if nights <= _SHORTEST:
            break
        for metric in np.flatnonzero(_may_have_steps(levels[:, :nights], thresholds)).tolist():
            there = np.flatnonzero(np.isfinite(levels[metric, :nights]))
            if len(there) > 1 and (found := steps_of(levels[metric, there], float(thresholds[metric]))):
                starts[metric] = max(starts[metric], there[found[-1].place])
    return starts


def _may_have_steps(levels: Floats, thresholds: Floats) -> np.ndarray:
    """Whether a step is possible `(metrics,)`: most metrics have none, and the search takes many times as long."""
    with np.errstate(invalid="ignore"):
        running = medians(sliding_window_view(levels, _SHORTEST, axis=1))
        spread = np.nanmax(running, axis=1, initial=-np.inf) - np.nanmin(running, axis=1, initial=np.inf)
        noise = 1.4826 * medians(np.abs(np.diff(levels))) / np.sqrt(2)
    possible: np.ndarray = ~(spread < np.maximum(0.5 * np.log1p(thresholds), _LEAST_RANGE * noise))
    return possible
