"""Confidence bounds of percentiles from the ranks of sorted samples, whatever their distribution."""

from __future__ import annotations

import math

import numpy as np

CONFIDENCE = 0.95
"""Of each bound alone; both together hold with at least 90%."""

_REACH = 12.0
"""Standard deviations around the mean beyond which the binomial distribution is 0 in double precision."""


def bound_ranks(samples: int, percentile: float) -> tuple[int, int] | None:
    """The ranks, from 1, of the sorted samples that are the lower and the upper bound of a percentile.

    The number of samples under the percentile is binomially distributed, so each bound holds with `CONFIDENCE`
    (Conover, Practical Nonparametric Statistics, 1999, section 3.2; David and Nagaraja, Order Statistics, 2003, section
    7.1). None if there are fewer than `samples_needed`. Assumes independent samples: where successive ones resemble
    each other, the bounds are too close.
    """
    if samples < samples_needed(percentile):
        return None
    share = percentile / 100
    reach = _REACH * math.sqrt(samples * share * (1 - share)) + _REACH
    first, last = (
        max(0, math.floor(samples * share - reach)),
        min(samples, math.ceil(samples * share + reach)),
    )
    counts = np.arange(first, last)
    # The logarithm of the probability of each count, but for a constant, from that of the one before.
    steps = np.log((samples - counts) / (counts + 1)) + math.log(share / (1 - share))
    logarithms = np.concatenate([[0.0], np.cumsum(steps)])
    cumulative = np.cumsum(np.exp(logarithms - logarithms.max()))
    cumulative /= cumulative[-1]
    low = first + int(np.searchsorted(cumulative, 1 - CONFIDENCE, side="right"))
    high = first + int(np.searchsorted(cumulative, CONFIDENCE)) + 1
    return low, high


def samples_needed(percentile: float) -> int:
    """The fewest samples of which the largest is an upper bound of a percentile from 50 on (p99: 299)."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(percentile / 100))
