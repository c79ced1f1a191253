"""The parts of the comparison against known answers."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from examples_utils.comparison.statistics.estimates import interval
from examples_utils.comparison.statistics.levels import levels
from examples_utils.comparison.statistics.machine_drift import machine_movement, speed_sensitivity
from examples_utils.comparison.statistics.permutation_test import (
    benjamini_hochberg,
    permutation_p,
    smallest_permutation_p,
)
from examples_utils.comparison.statistics.step_detection import steps
from examples_utils.comparison.statistics.variance_shrinkage import shrunk_variances

whole_numbers = st.lists(st.integers(0, 20), min_size=2, max_size=5)


@pytest.mark.slow
@given(whole_numbers, whole_numbers)
@example([0, 9, 9], [0, 0, 8, 10])
@settings(max_examples=100)
def test_the_exact_test_agrees_with_scipys_enumeration(base: list[int], new: list[int]) -> None:
    first, second = np.array(base, float), np.array(new, float)
    everything = np.concatenate([first, second])
    wanted = 1.0
    if everything.min() < everything.max():
        found = stats.permutation_test(
            (first, second),
            lambda x, y, axis: x.mean(axis) - y.mean(axis),
            n_resamples=np.inf,
            vectorized=True,
        )
        wanted = found.pvalue
    assert permutation_p(first, second) == pytest.approx(wanted, abs=1e-9)


def test_the_exact_test_tells_p_values_that_sampling_cannot() -> None:
    base, new = np.arange(70.0), np.arange(70.0, 90.0)
    assert permutation_p(base, new) == pytest.approx(smallest_permutation_p(70, 20), rel=1e-6)
    assert permutation_p(new, base) == pytest.approx(permutation_p(base, new))


samples = st.lists(st.integers(0, 40), min_size=2, max_size=15)


@pytest.mark.slow
@given(samples, samples, st.integers(0, 2**32 - 1))
@example([3] * 4, [3] * 5, 1)
@example([0, 10, 20, 30, 40] * 3, [0, 5, 10, 15, 20, 25, 30, 35, 40], 2)
@settings(max_examples=100)
def test_rounding_does_not_change_the_exact_test(base: list[int], new: list[int], seed: int) -> None:
    """Equal values in another unit, of which logarithms were taken, differ in the last digits of a float."""
    rng = np.random.default_rng(seed)
    first, second = np.array(base) / 1000, np.array(new) / 1000
    rounded = [side + rng.uniform(-1e-14, 1e-14, len(side)) for side in (first, second)]
    assert permutation_p(*rounded) == pytest.approx(permutation_p(first, second), rel=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_those_of_scipy(p: list[float]) -> None:
    assert benjamini_hochberg(np.array(p)) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


def test_bootstrap_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(20)
    base, new = rng.normal(0, 1, (1000, 5)), rng.normal(0.5, 1, (1000, 5))
    low, high = interval(base, new, confidence=0.95, resamples=1000, seed=1, noise=np.zeros(1000))
    assert 0.93 < np.mean((low <= 0.5) & (high >= 0.5)) < 0.98


def test_a_side_with_one_unit_has_no_interval() -> None:
    low, high = interval(
        np.ones((2, 1)), np.ones((2, 5)), confidence=0.95, resamples=100, seed=1, noise=np.zeros(2)
    )
    assert np.isnan([low, high]).all()


def test_moderated_variances_are_nearer_to_the_truth_than_plain_ones() -> None:
    rng = np.random.default_rng(21)
    truth = rng.uniform(0.5, 2.0, 200)
    plain = truth * rng.chisquare(4, 200) / 4
    drawn, freedom = shrunk_variances(plain, np.full(200, 4))
    assert np.abs(np.log(drawn / truth)).mean() < 0.7 * np.abs(np.log(plain / truth)).mean()
    assert (freedom > 4).all()


def test_a_few_variances_are_left_as_they_are() -> None:
    drawn, freedom = shrunk_variances(np.array([1.0, 4.0]), np.array([4, 4]))
    assert drawn.tolist() == [1.0, 4.0]
    assert freedom.tolist() == [4.0, 4.0]


def test_a_level_is_hardly_moved_by_a_hiccup_and_keeps_the_weights_of_two_modes() -> None:
    rng = np.random.default_rng(22)
    nights = np.exp(0.01 * rng.standard_normal((1, 10, 5)))
    nights[0, 4, 2] *= 3
    assert abs(levels(nights.tolist(), 10).centres[0, 4]) < 0.05 < np.log(3) / 5
    modes = [[1.0, 1.0, 1.0, 1.1, 1.1]] * 10
    assert levels([modes], 10).centres[0] == pytest.approx(0.4 * np.log(1.1))


def test_levels_of_absent_runs_are_nan() -> None:
    data = levels([[(1.0, 1.0), (), (2.0,)]], 3)
    assert data.counts.tolist() == [[2, 0, 1]]
    assert data.centres[0] == pytest.approx([0.0, np.nan, np.log(2)], nan_ok=True)


def test_without_variance_between_runs_the_step_is_that_of_a_t_test() -> None:
    rng = np.random.default_rng(23)
    values = np.exp(0.02 * rng.standard_normal((200, 15, 5)))
    found = steps(levels(values.tolist(), 15), (1,), np.zeros((200, 1)))
    logs = np.log(values)
    wanted = logs[:, -1].mean(axis=1) - logs[:, :-1].mean(axis=(1, 2))
    assert np.corrcoef(found.size, wanted)[0, 1] > 0.99
    assert np.abs(found.size - wanted).max() < 0.01
    assert np.median(found.deviation) == pytest.approx(0.02 * np.sqrt(1 / 5 + 1 / 70), rel=0.1)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_p_values_of_good_nights_are_no_smaller_than_they_should_be(correlation: float) -> None:
    rng = np.random.default_rng(24)
    drift = 0.03 * rng.standard_normal((600, 15))
    for run in range(1, 15):
        drift[:, run] = correlation * drift[:, run - 1] + np.sqrt(1 - correlation**2) * drift[:, run]
    values = np.exp(drift[..., None] + 0.02 * rng.standard_normal((600, 15, 5)))
    found = steps(levels(values.tolist(), 15), (1, 2, 3), np.zeros((600, 3)))
    for level in (0.2, 0.05, 0.01):
        happened = int((found.p <= level).sum())
        assert stats.binomtest(happened, 600, level, alternative="greater").pvalue > 0.001


def test_the_variance_of_a_common_movement_makes_a_step_less_sure() -> None:
    rng = np.random.default_rng(25)
    values = np.exp(0.02 * rng.standard_normal((5, 15, 5)))
    values[:, -1] *= 1.06
    data = levels(values.tolist(), 15)
    plain, wider = (steps(data, (1,), np.full((5, 1), extra)) for extra in (0.0, 0.02**2))
    assert (wider.p > plain.p).all()
    assert wider.deviation**2 == pytest.approx(plain.deviation**2 + 0.02**2, rel=1e-6)


@pytest.mark.parametrize(
    ("metric", "unit", "direction", "sign"),
    [
        ("latency", "ms", "lower", 1),
        ("throughput", "samples/sec", "higher", -1),
        ("fps", "FPS", "higher", -1),
        ("latency_p99", None, "lower", 1),
        ("peak_memory", "MiB", "lower", 0),
        ("top1", "%", "higher", 0),
        ("accuracy", None, "higher", 0),
        ("latency", "ms", None, 0),
    ],
)
def test_times_and_rates_follow_the_machine(
    metric: str, unit: str | None, direction: str | None, sign: int
) -> None:
    assert speed_sensitivity(metric, unit, direction) == sign


def movement_of(figures: np.ndarray, canary: float | None):
    canaries = [{} if canary is None else {"compute_s": (1.0, 1.001, 0.999)}] * 10
    tonight = {} if canary is None else {"compute_s": (canary, canary * 1.001, canary * 0.999)}
    return machine_movement(figures, 10, [*canaries, tonight], np.full(len(figures), 1e-4))


def test_most_of_the_suite_and_the_canary_must_move_together() -> None:
    rng = np.random.default_rng(26)
    quiet = 0.01 * rng.standard_normal((20, 11))
    all_slower = quiet + 0.06 * (np.arange(11) == 10)
    half_slower = quiet + 0.06 * np.outer(np.arange(20) < 10, np.arange(11) == 10)
    assert movement_of(all_slower, 1.06).confirmed.tolist() == [False] * 10 + [True]
    assert movement_of(all_slower, 1.06).shift[-1] == pytest.approx(0.06, abs=0.01)
    assert not movement_of(all_slower, 1.0).confirmed.any()
    assert not movement_of(all_slower, 0.95).confirmed.any()
    assert not movement_of(all_slower, None).confirmed.any()
    assert not movement_of(half_slower, 1.06).confirmed.any()
    assert not movement_of(quiet, 1.06).confirmed.any()


def test_a_few_regressed_figures_do_not_pass_for_unevenness() -> None:
    rng = np.random.default_rng(27)
    slower = 0.01 * rng.standard_normal((30, 11)) + 0.06 * (np.arange(11) == 10)
    plain = movement_of(slower, 1.06)
    slower[:2, -1] += 0.2
    regressed = movement_of(slower, 1.06)
    assert regressed.shift[-1] == pytest.approx(plain.shift[-1], abs=0.004)
    assert regressed.unevenness[-1] < 0.03
