"""Where the base of a night begins: at the last step that earlier nights have shown."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from examples_utils.comparison.statistics.levels import Floats, Ints
from examples_utils.comparison.statistics.segmentation import steps_of

_WINDOW = 3  # nights: no level is shorter
_LEAST_RANGE = 2.0  # standard deviations of a night: any significant step moves the running median further


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
    for metric, (row, threshold) in enumerate(zip(levels, thresholds.tolist(), strict=True)):
        there = np.flatnonzero(np.isfinite(row))
        if len(there) <= _WINDOW or not _may_have_steps(row[there], threshold):
            continue
        for without in range(recent + 1):
            nights = there[: len(there) - without]
            if len(nights) > _WINDOW and (found := steps_of(row[nights], threshold)):
                starts[metric] = max(starts[metric], nights[found[-1].place])
    return starts


def _may_have_steps(series: Floats, threshold: float) -> bool:
    """Whether a step is possible: most metrics have none, and the search takes a hundred times as long as this."""
    spread = np.ptp(np.median(sliding_window_view(series, _WINDOW), axis=1))
    noise = 1.4826 * np.median(np.abs(np.diff(series))) / np.sqrt(2)
    return bool(spread >= max(0.5 * np.log1p(threshold), _LEAST_RANGE * noise))
