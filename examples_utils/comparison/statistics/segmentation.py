"""Segments a series into levels, each of which differs significantly from its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from examples_utils.comparison.statistics.levels import Floats
from examples_utils.comparison.statistics.robust_partitioning import partition, segment_cost
from examples_utils.comparison.statistics.step_tests import (
    Segment,
    correlated_p,
    independent_p,
    overlap,
    pooled_variance,
    segment_of,
)

# Checked on simulated series: eight kinds of noise, drift, ramps and outliers, with and without steps.
_SHORTEST = 3  # nights that a level must last
# For each place: 0.004 for the 365 of a year. It depends on no length, so that further nights take no step away.
_INDEPENDENT_LEVEL = 1e-5
_CORRELATED_LEVEL = 1e-3
_LARGEST_OVERLAP = 0.2  # of the nights on either side
_MOST_CANDIDATES = 24  # the largest ones; the time grows with their third power
_LEAST_NOISE = 0.1  # of the threshold

# Chosen on 24 public histories with known changes.
# A step of fewer standard deviations of a night's noise must exceed how far the series moves by itself, by so much.
_LARGE = 6.0
_BEYOND_WANDERING = 4.0
_LONGEST_WINDOW = 30
_QUANTILE, _NORMAL_QUANTILE = 0.9, 1.645  # of the absolute value of a standard normal variable
_PRIOR_WINDOWS = 10.0  # the weight of uncorrelated noise against the movement found in the series


class Step(NamedTuple):
    """The first night of a new level; `p` is the larger of the two p-values of its tests."""

    place: int
    p: float


def steps_of(series: Floats, threshold: float) -> list[Step]:
    """Returns the steps of a series of logarithms, oldest first; `threshold` is the smallest, as a share.

    Among all subsets of the candidates in which every step passes its tests against the neighbours that it has in this
    subset, the one with the smallest loss is taken.
    """
    least = float(np.log1p(threshold))
    by_difference = 1.4826 * float(np.median(np.abs(np.diff(series)))) / np.sqrt(2)
    noise = max(by_difference, _LEAST_NOISE * least, 1e-6)
    places = _largest(series, partition(series / noise))
    places = sorted({_dated(series, noise, ends) for ends in _triples(places, len(series))})
    chosen = _best_valid(series, noise, places, least) if places else []
    ends = _triples([step.place for step in chosen], len(series))
    return [Step(_dated(series, noise, place), step.p) for step, place in zip(chosen, ends, strict=True)]


def _largest(series: Floats, places: list[int]) -> list[int]:
    def size(ends: tuple[int, int, int]) -> float:
        before, at, after = ends
        return abs(float(np.median(series[at:after]) - np.median(series[before:at])))

    return sorted(at for _, at, _ in sorted(_triples(places, len(series)), key=size)[-_MOST_CANDIDATES:])


def _triples(places: Sequence[int], nights: int) -> Iterator[tuple[int, int, int]]:
    ends = [0, *places, nights]
    return zip(ends, ends[1:], ends[2:], strict=False)


def _dated(series: Floats, noise: float, ends: tuple[int, int, int]) -> int:
    """Returns where Huber's loss to the two medians is least: unlike the truncated loss, it has no ties."""
    before, at, after = ends
    low, high = np.median(series[before:at]), np.median(series[at:after])
    first, end = (before + at) // 2, (at + after + 1) // 2
    near = series[first:end]
    gain = np.cumsum(_huber((near - low) / noise) - _huber((near - high) / noise))[:-1]
    return first + 1 + int(gain.argmin()) if len(gain) else at


def _huber(residual: Floats) -> Floats:
    size = np.abs(residual)
    loss: Floats = np.where(size <= 1.5, size**2, 3 * size - 2.25)
    return loss


def _best_valid(series: Floats, noise: float, places: list[int], least: float) -> list[Step]:
    """Dynamic programming over pairs of candidates: the last level, and the place at which it begins."""
    ends = [0, *places, len(series)]
    last = len(ends) - 1
    levels = [segment_of(series[first:end], noise) for first, end in pairwise(ends)]
    variance = pooled_variance(levels, noise)
    wandering = _Wandering(series, noise, places, np.diff([level.mean for level in levels]))

    def nights(first: int, end: int) -> Floats:
        return series[ends[first] : ends[end]]

    @cache
    def loss(first: int, end: int) -> float:
        return segment_cost(nights(first, end) / noise)

    @cache
    def robust(first: int, end: int) -> Segment:
        return segment_of(nights(first, end), noise)

    @cache
    def p(before: int, at: int, after: int) -> float:
        """Returns 1 for a step that fails."""
        levels = robust(before, at), robust(at, after)
        sides = nights(before, at), nights(at, after)
        size = levels[1].mean - levels[0].mean
        shorter = min(map(len, sides))
        if shorter < _SHORTEST or abs(size) < least or overlap(*sides, levels) > _LARGEST_OVERLAP:
            return 1.0
        if abs(size) < _LARGE * noise and abs(size) < _BEYOND_WANDERING * wandering.around(
            ends[at], size, shorter
        ):
            return 1.0
        independent = independent_p(*levels, variance)
        if independent > _INDEPENDENT_LEVEL:
            return 1.0
        correlated = correlated_p(*sides, levels, variance)
        return max(independent, correlated) if correlated <= _CORRELATED_LEVEL else 1.0

    cost: dict[tuple[int, int], float] = {}
    origin: dict[tuple[int, int], int] = {}
    for end in range(1, last + 1):
        cost[0, end] = loss(0, end)
        for at in range(1, end):
            # The cheapest first, as tests are dear.
            for so_far, before in sorted((cost[one, at], one) for one in range(at) if (one, at) in cost):
                if p(before, at, end) < 1:
                    cost[at, end] = so_far + loss(at, end)
                    origin[at, end] = before
                    break
    at, end = min((pair for pair in cost if pair[1] == last), key=cost.__getitem__)
    steps = []
    while at:
        before = origin[at, end]
        steps.append(Step(ends[at], p(before, at, end)))
        at, end = before, at
    return steps[::-1]


class _Wandering:
    """How far the medians of neighbouring windows of a series differ without the step that is tested.

    Levels that move a little every few weeks make every such movement significant; none of them is a lasting change.
    Large steps are removed first, as they are no wandering.
    """

    def __init__(self, series: Floats, noise: float, places: list[int], jumps: Floats) -> None:
        self._noise = noise
        self._large = {place for place, jump in zip(places, jumps, strict=True) if abs(jump) > _LARGE * noise}
        self._rest = series.copy()
        for place, jump in zip(places, jumps, strict=True):
            if place in self._large:
                self._rest[place:] -= jump

    def around(self, place: int, size: float, shorter: int) -> float:
        """Returns a standard deviation; windows are as long as the shorter side of the step."""
        window = min(_LONGEST_WINDOW, shorter)
        uncorrelated = self._noise * float(np.sqrt(2 / window))
        if len(self._rest) < 3 * window:
            return uncorrelated
        rest = self._rest.copy()
        if place not in self._large:
            rest[place:] -= size
        medians = np.median(sliding_window_view(rest, window), axis=1)
        found = float(np.quantile(np.abs(medians[window:] - medians[:-window]), _QUANTILE)) / _NORMAL_QUANTILE
        windows = len(rest) / window
        both = (windows * found**2 + _PRIOR_WINDOWS * uncorrelated**2) / (windows + _PRIOR_WINDOWS)
        return max(uncorrelated, float(np.sqrt(both)))
