"""Change points in a whole series of levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from examples_utils.comparison.statistics.levels import Floats, Ints, Levels, levels
from examples_utils.comparison.statistics.step_detection import Steps, steps

_SHORTEST = 3  # nights that a level must last
_PENALTY = 2.0  # × noise variance × log(nights): generous, as every candidate is tested afterwards
_NEAR = 30  # nights on each side that the step model looks at
_PERMUTATIONS = 999
_LEVEL = 0.001
_PROBABILITY = 0.95  # that the change lies between these nights


@dataclass(frozen=True)
class ChangePoint:
    """A step in a series of nights.

    `index` is the likeliest first night of the new level. With 95% probability the cause came after the night
    `last_before` and no later than the night `first_after`. `ratio` is the level after ÷ before, up to the
    neighbouring change points, with its confidence interval `low` to `high`; `p` is that of the permutation test.
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

    Optimal partitioning gives candidates; then the least significant one is removed until all that remain pass.
    """
    there = np.flatnonzero(np.isfinite(data.centres[0]))
    series = data.centres[0, there]
    if len(series) < 2 * _SHORTEST or series.min() == series.max():
        return ()
    ends = [0, *_candidates(series), len(series)]
    tests: dict[tuple[int, int, int], float] = {}
    while len(ends) > 2:
        strength = []
        for before, at, after in _neighbours(ends):
            size = abs(_size(series[before:after], at - before))
            if size < np.log1p(threshold):
                tests[before, at, after] = 1.0
            elif (before, at, after) not in tests:
                tests[before, at, after] = _p(data, there, (before, at, after))
            strength.append((tests[before, at, after], -size))
        weakest = max(strength)
        if weakest[0] <= _LEVEL:
            break
        del ends[strength.index(weakest) + 1]
    residuals = np.concatenate([part - part.mean() for part in np.split(series, ends[1:-1])])
    variance = max(float(residuals @ residuals) / max(1, len(series) - len(ends) + 1), 1e-18)
    return tuple(
        _point(data, there, place, variance, tests[place], confidence) for place in _neighbours(ends)
    )


def _candidates(series: Floats) -> list[int]:
    import ruptures  # type: ignore[import-untyped] # it takes a second

    differences = np.diff(series)
    noise = 1.4826 * float(np.median(np.abs(differences))) / np.sqrt(2)
    penalty = max(_PENALTY * noise**2 * float(np.log(len(series))), 1e-12)
    algorithm = ruptures.KernelCPD(kernel="linear", min_size=_SHORTEST).fit(series[:, None])
    return [int(end) for end in algorithm.predict(pen=penalty)[:-1]]


def _neighbours(ends: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    return zip(ends, ends[1:], ends[2:], strict=False)


def _size(series: Floats, at: int) -> float:
    return float(series[at:].mean() - series[:at].mean())


def _p(data: Levels, there: Ints, place: tuple[int, int, int]) -> float:
    """Returns the p-value of a step between its neighbours: the larger one of two.

    The permutation test of E-divisive (Matteson and James 2014): is the best split better than the best split of the
    same nights in any order? And, as drifting levels are not exchangeable, that of the step model, corrected for the
    nights among which the step was picked.
    """
    before, _, after = place
    series = data.centres[0, there[before:after]]
    orders = np.random.default_rng(0).permuted(np.tile(series, (_PERMUTATIONS, 1)), axis=1)
    better = _best_split(orders) >= _best_split(series[None]) - 1e-12
    permutation = (1 + int(better.sum())) / (1 + _PERMUTATIONS)
    if permutation > _LEVEL:
        return permutation
    return max(permutation, min(1.0, float(_around(data, there, place).p[0]) * (after - before)))


def _around(data: Levels, there: Ints, place: tuple[int, int, int]) -> Steps:
    """Returns the step in the nights around it that belong to it."""
    before, at, after = place
    first, end = max(before, at - _NEAR), min(after, at + _NEAR)
    nights = slice(int(there[first]), int(there[end - 1]) + 1)
    return steps(data.part(0, nights), (nights.stop - int(there[at]),), np.zeros((1, 1)))


def _best_split(series: Floats) -> Floats:
    """Returns the largest drop of the sum of squares `(series,)` from one split of each row."""
    nights = series.shape[1]
    centred = series - series.mean(axis=1, keepdims=True)
    first = np.arange(_SHORTEST, nights - _SHORTEST + 1)
    sums = np.cumsum(centred, axis=1)[:, first - 1]
    gains: Floats = (sums**2 * nights / (first * (nights - first))).max(axis=1)
    return gains


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
