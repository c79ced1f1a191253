"""The first nights of a machine, the nights after a step, and what one more night changes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples_utils.comparison.compare_night import callable_changes, compare_night, suspects
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.base_start import base_starts
from examples_utils.comparison.statistics.levels import levels
from examples_utils.comparison.statistics.step_detection import looks_of, steps
from examples_utils.comparison.verdicts import Verdict
from examples_utils.run_model import Metric, Run
from tests.comparison_runs import key_of, noisy, run_of

OPTIONS = CompareOptions()
SLOWER = "benchmark_0"


def nights_of(
    slowness: list[float], *, seed: int, benchmarks: int = 10, noise: float = 0.01, confirmed: bool = True
) -> list[Run]:
    """One night for each factor by which the first benchmark is slower, which is confirmed on the last one."""
    rng = np.random.default_rng([300, seed])
    repetitions = [5] * (len(slowness) - 1) + [20 if confirmed else 5]
    nights = []
    for number, (factor, count) in enumerate(zip(slowness, repetitions, strict=True)):
        figures = noisy(rng, benchmarks=benchmarks, noise=noise, repetitions=count, slower={SLOWER: factor})
        figures = {name: values if name == SLOWER else values[:5] for name, values in figures.items()}
        nights.append(run_of(figures, f"night {number}"))
    return nights


def regressed(nights: list[Run], accepted: dict | None = None) -> list[str]:
    """The benchmarks that the last night reports."""
    verdicts = compare_night(nights[:-1], nights[-1], OPTIONS, accepted or {}).regressed
    return [one.key.benchmark for one in verdicts]


@pytest.mark.parametrize("benchmarks", [1, 10])
@pytest.mark.parametrize(("earlier", "factor"), [(1, 1.2), (2, 1.1), (3, 1.05)])
def test_the_first_nights_call_what_they_promise(benchmarks: int, earlier: int, factor: float) -> None:
    slowness = [1.0] * earlier + [factor]
    called = [regressed(nights_of(slowness, seed=seed, benchmarks=benchmarks)) for seed in range(10)]
    assert called.count([SLOWER]) >= 9


@pytest.mark.parametrize("earlier", [1, 2, 3, 5])
def test_what_is_called_is_called_on_three_nights(earlier: int) -> None:
    for after in (1, 2, 3):
        slowness = [1.0] * earlier + [1.25] * after
        called = [regressed(nights_of(slowness, seed=seed)) for seed in range(5)]
        assert called.count([SLOWER]) == 5, after


def test_a_slower_benchmark_is_a_suspect_on_the_second_night() -> None:
    nights = nights_of([1.0, 1.2], seed=1, confirmed=False)
    assert suspects(nights[:1], nights[1], OPTIONS)[0] == key_of(SLOWER)


def test_the_two_metrics_of_one_benchmark_do_not_hide_each_others_change() -> None:
    nights = [with_throughput(night) for night in nights_of([1.0, 1.2], seed=2, benchmarks=1)]
    assert regressed(nights) == [SLOWER, SLOWER]


def with_throughput(night: Run) -> Run:
    latency = night.metrics[key_of(SLOWER)]
    rate = Metric(tuple(1000 / value for value in latency.values), "samples/s", "higher")
    return replace(night, metrics={**night.metrics, key_of(SLOWER, "throughput"): rate})


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_a_suite_whose_levels_vary_from_night_to_night_is_not_called_slower(noise: float) -> None:
    """The second night knows how much nights vary from the other benchmarks alone."""
    alarms = 0
    for seed in range(10):
        rng = np.random.default_rng([301, seed])
        varied = [
            {name: tuple(factor * np.array(values)) for name, values in noisy(rng, noise=noise).items()}
            for factor in (1.0, 1.0)
        ]
        for figures in varied:
            for name, values in figures.items():
                figures[name] = tuple((np.exp(0.05 * rng.standard_normal()) * np.array(values)).tolist())
        alarms += bool(regressed([run_of(figures, f"night {n}") for n, figures in enumerate(varied)]))
    assert alarms == 0


@pytest.mark.parametrize("first", [1.2, 1 / 1.2])
@pytest.mark.parametrize("later", [3, 4, 8, 13])
def test_a_step_is_called_after_an_earlier_step(first: float, later: int) -> None:
    slowness = [1.0] * 16 + [first] * later + [first * 1.1]
    for seed in range(3):
        assert regressed(nights_of(slowness, seed=seed)) == [SLOWER]


def test_a_step_is_called_on_three_nights_although_it_comes_right_after_another_one() -> None:
    for after in (1, 2, 3):
        assert regressed(nights_of([1.0] * 14 + [1.2] * 3 + [1.32] * after, seed=3)) == [SLOWER], after


@pytest.mark.parametrize("benchmarks", [1, 10])
@pytest.mark.parametrize("earlier", [1, 2])
@pytest.mark.parametrize("later", [3, 8])
def test_a_step_of_the_first_days_does_not_hide_the_next_one(
    benchmarks: int, earlier: int, later: int
) -> None:
    for after in (1, 2, 3):
        slowness = [1.0] * earlier + [1.2] * later + [1.2 * 1.1] * after
        for seed in range(3):
            assert regressed(nights_of(slowness, seed=seed, benchmarks=benchmarks)) == [SLOWER], after


def test_a_step_is_called_for_three_nights_and_then_is_the_base() -> None:
    called = [regressed(nights_of([1.0] * 14 + [1.2] * after, seed=4)) for after in range(1, 6)]
    assert called == [[SLOWER]] * 3 + [[]] * 2


def test_the_base_begins_at_an_accepted_run() -> None:
    nights = nights_of([1.0] * 10 + [1.2] * 2, seed=5)
    assert regressed(nights) == [SLOWER]
    accepted = {key_of(SLOWER): "night 10"}
    comparison = compare_night(nights[:-1], nights[-1], OPTIONS, accepted)
    one = next(one for one in comparison.judged if one.key == key_of(SLOWER))
    assert one.verdict is not Verdict.REGRESSED
    assert one.base_runs == 1
    assert next(one for one in comparison.judged if one.key == key_of("benchmark_1")).base_runs == 11
    assert regressed(nights_of([1.0] * 10 + [1.2, 1.2, 1.2, 1.5], seed=5), accepted) == [SLOWER]


def test_a_single_outlying_night_does_not_begin_the_base() -> None:
    series = 0.01 * np.random.default_rng(302).standard_normal((1, 14))
    series[0, 6] += 0.4
    assert base_starts(series, np.array([0.02]), 2).tolist() == [0]


def test_the_base_begins_at_the_last_of_several_steps_and_nights_may_be_missing() -> None:
    series = 0.005 * np.random.default_rng(303).standard_normal((2, 16))
    series[0, 5:] += 0.2
    series[0, 11:] -= 0.1
    series[:, [2, 12]] = np.nan
    assert base_starts(series, np.array([0.02, 0.02]), 2).tolist() == [11, 0]


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(2, 17), st.floats(0.0, 0.2), st.floats(0.0, 0.2))
@settings(max_examples=30, deadline=None)
def test_a_larger_step_has_no_larger_p_value(seed: int, nights: int, one: float, other: float) -> None:
    noise = 0.02 * np.random.default_rng(seed).standard_normal((4, nights, 5))
    p = []
    for size in sorted((one, other)):
        values = noise.copy()
        values[0, -1] += size + 0.06  # it is larger than what noise could take away
        p.append(steps(levels(np.exp(values).tolist(), nights), (1,), np.zeros((4, 1))).rise[0])
    assert p[1] <= p[0] * (1 + 1e-9)


@pytest.mark.parametrize("benchmarks", [1, 10])
@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_no_further_night_makes_the_smallest_callable_change_larger(benchmarks: int, noise: float) -> None:
    """Nights that are all alike: there is no chance in this."""
    spread = noise * np.array([-1.2, -0.5, 0.0, 0.5, 1.2])
    figures = {f"b{number}": tuple(np.exp(spread).tolist()) for number in range(benchmarks)}
    night = run_of({name: values[::-1] for name, values in figures.items()}, "tonight")
    sizes = [
        callable_changes([run_of(figures, f"night {n}") for n in range(earlier)], night, OPTIONS)[0]
        for earlier in range(1, 21)
    ]
    assert all(after <= before * 1.01 for before, after in pairwise(sizes))
    assert sizes[0] > 2 * sizes[-1]


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [1, 3, 12])
def test_the_smallest_callable_change_is_called_in_most_nights_and_a_much_smaller_one_in_few(
    earlier: int,
) -> None:
    quiet = [nights_of([1.0] * (earlier + 1), seed=seed) for seed in range(5)]
    sizes = [callable_changes(nights[:-1], nights[-1], OPTIONS)[0] for nights in quiet]

    def called(size: float) -> float:
        return np.mean(
            [SLOWER in regressed(nights_of([1.0] * earlier + [1 + size], seed=seed)) for seed in range(12)]
        )

    assert called(float(np.median(sizes))) >= 0.5  # 80%, of 12 nights
    assert called(0.4 * float(np.median(sizes))) <= 0.3


def test_more_nights_can_call_less_and_nothing_is_called_without_any() -> None:
    nights = nights_of([1.0] * 3, seed=6)
    now, soon, late = callable_changes(nights[:-1], nights[-1], OPTIONS, (0, 2, 10))
    assert OPTIONS.threshold <= late <= soon < now
    assert callable_changes([], nights[-1], OPTIONS) == ()


def test_half_of_the_level_is_for_the_newest_step_whatever_the_number_of_steps() -> None:
    for steps_sought in (1, 2, 3, 6):
        assert (1 / looks_of(steps_sought)).sum() == pytest.approx(1)
    assert looks_of(3)[0] == looks_of(6)[0] == 2
