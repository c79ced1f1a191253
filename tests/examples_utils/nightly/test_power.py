"""The power of a night in words: computed from its history, and never from nights after a step."""

from __future__ import annotations

import random

import pytest

from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.options import CompareOptions
from examples_utils.nightly.power import Power, power_line, power_of
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts
from tests.examples_utils.nightly.nights import SUITE

pytestmark = pytest.mark.slow


def night(number: int, noise: float = 0.02, slowness: float = 1.0) -> Run:
    chance = random.Random(number)
    keys = [MetricKey(SUITE, name, name, "latency") for name in "abcdefgh"]
    return Run(
        run_id=f"{number}",
        started_utc=f"2026-01-{number + 1:02}T00:00:00+00:00",
        variants={key.of_variant: VariantFacts("passed") for key in keys},
        metrics={
            key: Metric(tuple(10 * slowness * chance.gauss(1, noise) for _ in range(5)), "ms", "lower")
            for key in keys
        },
    )


def power(count: int, noise: float = 0.02, slow: int = 0, options: CompareOptions | None = None) -> Power:
    """That of a night after so many, of which the last ones are slow."""
    options = options or CompareOptions()
    *base, last = (night(n, noise, 1.3 if n >= count + 1 - slow else 1.0) for n in range(count + 1))
    return power_of(base, last, compare_night(base, last, options), options, {})


def test_more_nights_and_less_noise_show_smaller_changes():
    sizes = [power(count, 0.05).smallest or 0 for count in (1, 2, 4, 8, 16)]
    assert sizes == sorted(sizes, reverse=True)
    assert (power(4, 0.02).smallest or 0) < sizes[2]


@pytest.mark.slow
def test_the_second_figure_is_that_of_twice_as_many_nights_up_to_the_whole_baseline():
    assert [power(count).later for count in (1, 3, 8, 10, 15, 16)] == [2, 6, 16, 16, 16, None]
    few = power(3, 0.05)
    assert few.smallest is not None
    assert few.smallest_later is not None
    assert 0.02 <= few.smallest_later < few.smallest < 0.5


def test_a_change_that_is_being_called_does_not_pass_for_noise():
    quiet, stepped = power(8, 0.03).smallest, power(8, 0.03, slow=3).smallest
    assert quiet is not None
    assert stepped is not None
    assert stepped < 1.5 * quiet


def test_no_change_below_the_threshold_is_promised():
    for threshold in (0.02, 0.1):
        smallest = power(16, 0.001, options=CompareOptions(threshold=threshold)).smallest or 0
        assert threshold * (1 - 1e-9) <= smallest < threshold * 1.2


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (Power(0, 0.02), "0 nights of history: changes can be called from the next night on"),
        (Power(1, 0.02), "1 night of history: no metric varies, so which changes can be called is unknown"),
        (
            Power(3, 0.02, 0.0812, 6, 0.0405),
            "3 nights of history: changes below about 8% cannot be called yet; about 4% from night 7 on",
        ),
        (
            Power(9, 0.02, 0.0284, 16, 0.0231),
            "9 nights of history: changes below about 2.8% cannot be called yet; about 2.3% from night 17 on",
        ),
        (
            Power(1, 0.02, 213.09, 2, 1.5),
            "1 night of history: changes below about a factor of 214 cannot be called yet; "
            "about a factor of 2.5 from night 3 on",
        ),
        (Power(16, 0.02, 0.0231), "16 nights of history: changes below about 2.3% cannot be called"),
        (Power(9, 0.02, 0.081, 16, 0.0795), "9 nights of history: changes below about 8% cannot be called"),
        (
            Power(5, 0.02, 0.02, 10, 0.02),
            "5 nights of history: changes from about 2.0% on, the threshold, can be called",
        ),
    ],
)
def test_the_power_in_words(known: Power, line: str):
    assert power_line(known) == line
