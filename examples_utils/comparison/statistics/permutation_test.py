"""The exact permutation test of two samples, and the correction for many tests."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from examples_utils.comparison.statistics.levels import Floats

_CELLS_WANTED = 4000  # bins × size of the smaller sample: the rounding stays far below the spread of a sum
_FEW_ARRANGEMENTS = 10_000  # are enumerated, as a grid would separate sums that are equal
_LARGEST = 1000  # repetitions in total: the number of arrangements must fit into a float
# In another unit, logarithms of equal values differ by rounding, which must decide neither a tie nor a bin: values
# closer than this are equal, and no bin ends half-way between two others, where values with few digits lie.
_ROUNDING = 1e-9
_END_OF_BIN = 0.503


def permutation_p(base: Floats, new: Floats) -> float:
    """Returns the two-sided p-value of the difference of two means over all ways to split the values into two samples.

    A small number of splits is enumerated. With more, values are rounded to a grid, on which the distribution is
    counted, not sampled: the shift algorithm of Streitberg and Röhmel (1986). SciPy's `permutation_test` gives the
    same, but for 70 values and 20 only by sampling, which cannot resolve a p-value of 0.00001. Equal values give 1; too
    many to be counted give 0, which vetoes nothing. Values are logarithms: their unit has no effect.
    """
    drawn, rest = (base, new) if len(base) < len(new) else (new, base)
    values = np.concatenate([drawn, rest])
    values -= values.min()
    widest = values.max()
    if widest <= _ROUNDING:
        return 1.0
    if comb(len(values), len(drawn)) <= _FEW_ARRANGEMENTS:
        return _enumerated_p(values, len(drawn))
    if len(values) > _LARGEST:
        return 0.0
    bins = max(20, _CELLS_WANTED // len(drawn))
    scores = np.floor(values / widest * bins + _END_OF_BIN).astype(int)
    observed = scores[: len(drawn)].sum()
    largest = int(np.sort(scores)[-len(drawn) :].sum())
    ways = np.zeros((len(drawn) + 1, largest + 1))
    ways[0, 0] = 1.0
    for score in scores:
        ways[1:, score:] += ways[:-1, : largest + 1 - score]
    sums = ways[-1]
    tail = min(sums[observed:].sum(), sums[: observed + 1].sum()) / sums.sum()
    return min(1.0, 2 * float(tail))


def _enumerated_p(values: Floats, drawn: int) -> float:
    """Returns the p-value of the first `drawn` values; sums that differ by rounding alone are equal."""
    sums = values[np.array(list(combinations(range(len(values)), drawn)))].sum(axis=1)
    rounding = _ROUNDING * max(values.max(), 1e-3)
    tail = min((sums >= sums[0] - rounding).mean(), (sums <= sums[0] + rounding).mean())
    return min(1.0, 2 * float(tail))


def smallest_permutation_p(base: int, new: int) -> float:
    """Returns the smallest p-value that samples of these sizes can have."""
    return min(1.0, 2 / comb(base + new, new))


def benjamini_hochberg(p: Floats) -> Floats:
    """Returns q-values: rejecting all with q ≤ α keeps the expected share of false rejections at α (1995).

    It is `scipy.stats.false_discovery_control` without the second that importing `scipy.stats` takes.
    """
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
