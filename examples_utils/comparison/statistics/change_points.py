"""Change points in a whole series of levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels, levels
from examples_utils.comparison.statistics.segmentation import steps_of
from examples_utils.comparison.statistics.step_detection import Steps, steps

_NEAR = 30  # nights on each side that the step model looks at
_PROBABILITY = 0.95  # that the change lies between these nights


@dataclass(frozen=True)
class ChangePoint:
    """A step in a series of nights.

    `index` is the likeliest first night of the new level. With 95% probability the cause came after the night
    `last_before` and no later than the night `first_after`. `ratio` is the level after ÷ before, up to the
    neighbouring change points, with its confidence interval `low` to `high`; `p` is the larger one of its two tests.
    """

    index: int
    last_before: int
    first_after: int
    ratio: float
    low: float
    high: float
    p: float


def change_points(
    nights: Sequence[Sequence[float]], threshold: float, confidence: float
) -> tuple[ChangePoint, ...]:
    """Returns the steps in one series, oldest first; a night is its repetitions, all above 0, and may be empty.

    `threshold` is the smallest step that matters, as a share; `confidence` is that of the intervals.
    """
    return change_points_of_levels(levels([nights], len(nights)), threshold, confidence) if nights else ()


def change_points_of_levels(data: Levels, threshold: float, confidence: float) -> tuple[ChangePoint, ...]:
    """The same for a metric's levels in each night.

    The tests have p-values from models: no permutation is drawn, so that nothing depends on a seed.
    """
    there = np.flatnonzero(np.isfinite(data.centres[0]))
    series = data.centres[0, there]
    if len(series) < 2 or series.min() == series.max():
        return ()
    found = steps_of(series, threshold)
    ends = [0, *(step.place for step in found), len(series)]
    residuals = np.concatenate([part - np.median(part) for part in np.split(series, ends[1:-1])])
    # From the middle half, so that outliers do not widen the range of nights.
    variance = max((1.4826 * float(np.median(np.abs(residuals)))) ** 2, 1e-18)
    data = data.shifted(_beyond(data.centres[0], there, ends, 3 * np.sqrt(variance)))
    return tuple(
        _point(data, there, place, variance, step.p, confidence)
        for step, place in zip(found, zip(ends, ends[1:], ends[2:], strict=False), strict=True)
    )


def _beyond(levels: Floats, there: Ints, ends: list[int], limit: float) -> Floats:
    """Returns how far each night `(1, nights)` is from its level beyond the limit: an outlier would move the ratio."""
    beyond = np.zeros((1, len(levels)))
    for part in np.split(there, ends[1:-1]):
        residual = levels[part] - np.median(levels[part])
        beyond[0, part] = residual - np.clip(residual, -limit, limit)
    return beyond


def _around(data: Levels, there: Ints, place: tuple[int, int, int]) -> Steps:
    """Returns the step in the nights around it that belong to it."""
    before, at, after = place
    first, end = max(before, at - _NEAR), min(after, at + _NEAR)
    nights = slice(int(there[first]), int(there[end - 1]) + 1)
    return steps(data.part(0, nights), (nights.stop - int(there[at]),), np.zeros((1, 1)))


def _point(
    data: Levels, there: Ints, place: tuple[int, int, int], variance: float, p: float, confidence: float
) -> ChangePoint:
    before, at, after = place
    earliest, latest = _range(data.centres[0, there[before:after]], variance)
    found = _around(data, there, place)
    size = float(found.size[0])
    half = float(special.stdtrit(found.freedom[0], (1 + confidence) / 2) * found.deviation[0])
    return ChangePoint(
        index=int(there[at]),
        last_before=int(there[min(before + earliest, at) - 1]),
        first_after=int(there[max(before + latest, at)]),
        ratio=float(np.exp(size)),
        low=float(np.exp(size - half)),
        high=float(np.exp(size + half)),
        p=p,
    )


def _range(series: Floats, variance: float) -> tuple[int, int]:
    """Returns the range of likely first nights of the new level: the smallest set of 95% (flat prior, normal noise)."""
    nights = len(series)
    first = np.arange(1, nights)
    sums = np.cumsum(series - series.mean())[:-1]
    gains = sums**2 * nights / (first * (nights - first))
    weights = np.exp((gains - gains.max()) / (2 * variance))
    order = np.argsort(-weights)
    number = int(np.searchsorted(np.cumsum(weights[order]), _PROBABILITY * weights.sum())) + 1
    likely = first[order[:number]]
    return int(likely.min()), int(likely.max())
