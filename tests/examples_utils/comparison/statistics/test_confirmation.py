"""When more repetitions are worth their time, and how a metric follows the machine."""

from __future__ import annotations

import numpy as np
import pytest

from examples_utils.comparison.compare_night import compare_night, suspects, unsettled
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.confirmation.curtailment import open_ended
from examples_utils.comparison.statistics.machine_sensitivity import sensitivities
from examples_utils.comparison.statistics.step_detection import Steps
from examples_utils.run_model import Metric, MetricKey, Run

OPTIONS = CompareOptions()
KEYS = [MetricKey("suite.yml", f"b{number}", f"b{number}", "latency") for number in range(6)]


def step(size: float, deviation: float, repetition: float) -> Steps:
    return Steps(
        length=np.array([1]),
        size=np.array([size]),
        deviation=np.array([deviation]),
        freedom=np.array([70.0]),
        p=np.array([0.04]),
        rise=np.array([0.02]),
        fall=np.array([1.0]),
        repetition=np.array([repetition]),
    )


def is_open(size: float, between: float, more: int = 15) -> bool:
    """With five repetitions of 2% of noise, and levels that vary by `between` from night to night."""
    found = step(size, float(np.hypot(between, 0.02 / 5**0.5)), 0.02)
    return bool(open_ended(found, found.size, np.array([5.0]), more, np.array([0.02]), 0.009, 3)[0])


def test_repetitions_are_worth_their_time_where_they_can_still_decide() -> None:
    assert is_open(0.03, between=0.0)
    assert is_open(0.05, between=0.0)


def test_what_is_hardly_slower_cannot_become_a_regression() -> None:
    assert not is_open(0.0, between=0.0)


def test_no_repetitions_settle_a_benchmark_that_varies_from_night_to_night() -> None:
    assert not is_open(0.05, between=0.03)


def test_a_larger_change_never_closes_a_verdict() -> None:
    answers = [is_open(size, between=0.01) for size in np.linspace(0, 0.2, 41)]
    assert answers == sorted(answers)
    assert set(answers) == {False, True}


def night(rng: np.random.Generator, number: int, *slowness: float, repetitions: int = 5) -> Run:
    levels = np.array([*slowness, *(0.0,) * (len(KEYS) - len(slowness))])
    values = np.exp(levels[:, None] + 0.01 * rng.standard_normal((len(KEYS), repetitions)))
    metrics = {key: Metric(tuple(row), "ms", "lower") for key, row in zip(KEYS, values.tolist(), strict=True)}
    return Run(f"night-{number}", f"night {number}", metrics=metrics)


def test_a_clear_regression_is_settled_after_one_round() -> None:
    rng = np.random.default_rng(31)
    history = [night(rng, number) for number in range(14)]
    tonight = night(rng, 14, 0.08, repetitions=5)
    assert suspects(history, tonight, OPTIONS)[0] == KEYS[0]
    tonight = night(rng, 14, 0.08, repetitions=8)
    assert unsettled(history, tonight, OPTIONS, KEYS, 12) == ()
    assert compare_night(history, tonight, OPTIONS).regressed[0].key == KEYS[0]


def test_what_was_slow_by_chance_is_settled_once_it_is_not() -> None:
    rng = np.random.default_rng(32)
    history = [night(rng, number) for number in range(14)]
    assert unsettled(history, night(rng, 14, repetitions=8), OPTIONS, KEYS, 12) == ()


def test_a_change_near_the_threshold_stays_open_until_no_repetitions_are_left() -> None:
    rng = np.random.default_rng(33)
    history = [night(rng, number) for number in range(14)]
    tonight = night(rng, 14, 0.0165, repetitions=8)
    assert unsettled(history, tonight, OPTIONS, KEYS[:1], 12) == (KEYS[0],)
    assert unsettled(history, tonight, OPTIONS, KEYS[1:2], 12) == ()
    assert unsettled(history, tonight, OPTIONS, KEYS[:1], 0) == ()


def test_sensitivities_are_learned_from_slow_nights_as_far_as_these_show_them() -> None:
    rng = np.random.default_rng(34)
    true = 1 + 0.3 * rng.standard_normal(40)
    machine = np.array([0.05, 0.07, 0.06])
    moved = true[:, None] * machine + 0.003 * rng.standard_normal((40, 3))
    learned = sensitivities(moved, machine, np.full(40, 0.003**2))
    assert np.abs(learned - true).mean() < 0.1
    noisy = sensitivities(moved, machine, np.full(40, 0.05**2))
    assert np.abs(noisy - 1).mean() < np.abs(learned - 1).mean()


def test_a_metric_that_slowed_down_once_by_itself_is_no_more_sensitive_than_any_other() -> None:
    machine = np.array([0.05, 0.06])
    moved = np.ones((20, 1)) * machine + 0.002 * np.random.default_rng(35).standard_normal((20, 2))
    moved[0] += 0.2
    learned = sensitivities(moved, machine, np.full(20, 0.002**2))
    assert learned[0] < 2
    assert learned[1:] == pytest.approx(1.0, abs=0.1)


def test_without_slow_nights_every_metric_follows_the_machine_alike() -> None:
    assert sensitivities(np.empty((5, 0)), np.empty(0), np.full(5, 1e-4)).tolist() == [1.0] * 5
    unknown = sensitivities(np.full((5, 2), np.nan), np.array([0.05, 0.06]), np.full(5, 1e-4))
    assert unknown.tolist() == [1.0] * 5
