"""Change points: what is found for which lengths, and what never takes one away."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.change_points import ChangePoint, change_points

OPTIONS = CompareOptions()


def found(levels: list[tuple[int, float]], noise: float = 0.01, seed: int = 0) -> tuple[ChangePoint, ...]:
    """The change points of one value per night: so many nights at each level."""
    shape = sum(nights for nights, _ in levels)
    noisy = noise * np.random.default_rng(seed).standard_normal(shape)
    centres = np.repeat([value for _, value in levels], [nights for nights, _ in levels])
    return of_values(centres * np.exp(noisy))


def of_values(values: np.ndarray) -> tuple[ChangePoint, ...]:
    return change_points([[float(value)] for value in values], OPTIONS.threshold, OPTIONS.confidence)


def places(points: tuple[ChangePoint, ...]) -> list[int]:
    return [point.index for point in points]


@pytest.mark.slow
@pytest.mark.parametrize("before", [5, 6, 9, 13, 30])
def test_a_doubling_is_found_whatever_the_lengths(before: int) -> None:
    for after in range(4, 40):
        assert places(found([(before, 10.0), (after, 20.0)], seed=after)) == [before]


def test_ten_nights_are_enough() -> None:
    assert places(found([(5, 10.0), (5, 12.0)])) == [5]


def test_neighbouring_changes_take_none_of_each_other_along() -> None:
    points = found([(80, 0.85), (6, 1.38), (7, 2.9), (30, 1.33)])
    assert places(points) == [80, 86, 93]
    assert [point.ratio for point in points] == pytest.approx([1.38 / 0.85, 2.9 / 1.38, 1.33 / 2.9], rel=0.03)


@pytest.mark.parametrize("after", range(4, 13))
def test_a_change_and_its_repair_are_found_soon_after_the_repair(after: int) -> None:
    assert places(found([(30, 100.0), (5, 120.0), (after, 100.0)])) == [30, 35]


def test_an_outlier_night_hides_no_change_after_it_and_does_not_move_its_size() -> None:
    (point,) = found([(10, 100.0), (1, 59.0), (4, 100.0), (60, 88.4)])
    assert point.index == 15
    assert point.ratio == pytest.approx(0.884, rel=0.01)


def test_single_outliers_are_no_changes() -> None:
    assert found([(20, 100.0), (1, 160.0), (9, 100.0), (2, 50.0), (40, 100.0)]) == ()


def test_an_outlying_night_next_to_a_change_hides_neither_its_place_nor_its_size() -> None:
    (point,) = found([(29, 100.0), (1, 150.0), (30, 80.0)])
    assert (point.index, point.ratio) == (30, pytest.approx(0.8, rel=0.01))


def test_levels_that_wander_have_no_changes_but_the_large_one() -> None:
    walk = [0.0, 2.5, -0.5, 2.0, -1.0, 2.0, 0.0, 2.5]
    levels = [(40, 100.0 * (1 + move / 100) * (1.0 if part < 4 else 1.15)) for part, move in enumerate(walk)]
    (point,) = found(levels)
    assert point.index == 160


seeds = st.integers(0, 2**32 - 1)


@st.composite
def one_step(draw: st.DrawFn) -> tuple[np.ndarray, int, float]:
    """Noise of standard deviation 1, the first night of a clear step, and its size in standard deviations.

    A smaller step in few nights is up to chance: further nights may show that the noise is larger than it seemed.
    """
    before, after = draw(st.integers(5, 60)), draw(st.integers(5, 60))
    noise = np.random.default_rng(draw(seeds)).standard_normal(before + after)
    return noise, before, draw(st.floats(5, 12)) * draw(st.sampled_from([-1, 1]))


def reported(noise: np.ndarray, at: int, size: float, deviation: float = 0.01) -> bool:
    shifted = noise + np.where(np.arange(len(noise)) >= at, size, 0.0)
    return any(abs(point.index - at) <= 2 for point in of_values(np.exp(deviation * shifted)))


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(one_step(), st.floats(1.05, 5))
def test_a_larger_step_is_not_lost(series: tuple[np.ndarray, int, float], factor: float) -> None:
    noise, at, size = series
    assert reported(noise, at, factor * size) or not reported(noise, at, size)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(one_step(), st.floats(0.05, 0.95))
def test_with_less_noise_no_step_is_lost(series: tuple[np.ndarray, int, float], factor: float) -> None:
    noise, at, size = series
    assert reported(factor * noise, at, size) or not reported(noise, at, size)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True)
@given(one_step(), st.integers(1, 60), seeds)
def test_with_more_nights_no_step_is_lost(
    series: tuple[np.ndarray, int, float], more: int, seed: int
) -> None:
    noise, at, size = series
    longer = np.concatenate([noise, np.random.default_rng(seed).standard_normal(more)])
    assert reported(longer, at, size) or not reported(noise, at, size)
