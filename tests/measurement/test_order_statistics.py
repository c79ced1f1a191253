"""Bounds of percentiles hold as often as they claim, whatever the distribution."""

import numpy as np
import pytest
from scipy.stats import binom

from measurement.order_statistics import CONFIDENCE, bound_ranks, samples_needed
from measurement.statistics import PERCENTILES, latency_of


def test_an_upper_bound_needs_so_many_samples() -> None:
    needed = {percentile: samples_needed(percentile) for percentile in PERCENTILES}
    assert needed == {50.0: 5, 90.0: 29, 95.0: 59, 99.0: 299, 99.9: 2995}
    for percentile, samples in needed.items():
        assert bound_ranks(samples - 1, percentile) is None
        assert bound_ranks(samples, percentile) is not None
        assert (percentile / 100) ** samples <= 1 - CONFIDENCE < (percentile / 100) ** (samples - 1)


@pytest.mark.parametrize("percentile", PERCENTILES)
@pytest.mark.parametrize("more", [0, 1, 17, 1000, 250_000])
def test_ranks_are_the_closest_that_hold_with_95_percent(percentile: float, more: int) -> None:
    samples, share = samples_needed(percentile) + more, percentile / 100
    low, high = bound_ranks(samples, percentile) or (0, 0)
    assert 1 <= low < high <= samples
    # Sample number `high` is above the percentile if fewer than that many samples are below it, and so on.
    assert binom.cdf(high - 1, samples, share) >= CONFIDENCE > binom.cdf(high - 2, samples, share)
    assert binom.sf(low - 1, samples, share) >= CONFIDENCE > binom.sf(low, samples, share)


@pytest.mark.slow
@pytest.mark.parametrize("distribution", ["exponential", "two modes"])
def test_bounds_hold_for_skewed_latencies(distribution: str) -> None:
    random, trials, samples = np.random.default_rng(1), 2000, 400
    drawn = random.exponential(10**7, (trials, samples))
    true_ms = {99.0: 10 * np.log(100), 50.0: 10 * np.log(2)}
    if distribution == "two modes":
        drawn = np.where(random.random((trials, samples)) < 0.05, 10**8, 10**6) + drawn / 100
        true_ms = {50.0: 1 + 0.1 * -np.log(1 - 0.5 / 0.95), 99.0: 100 + 0.1 * np.log(5)}
    ordered_ms = np.sort(drawn, axis=1) / 1e6
    for percentile, value in true_ms.items():
        low, high = bound_ranks(samples, percentile) or (0, 0)
        for held in (np.mean(ordered_ms[:, low - 1] <= value), np.mean(ordered_ms[:, high - 1] >= value)):
            assert held >= CONFIDENCE - 0.02  # four standard deviations of 2,000 trials


def test_the_bounds_of_a_latency_are_among_its_round_trips() -> None:
    found = latency_of(np.random.default_rng(1).permutation(np.arange(1, 300)) * 10**6)
    assert found.bounds_ms[99.0] == (293.0, 299.0)
    assert sorted(found.bounds_ms) == [50.0, 90.0, 95.0, 99.0]
