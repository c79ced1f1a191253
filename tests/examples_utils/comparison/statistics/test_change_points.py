"""When a metric changed lastingly."""

from dataclasses import replace

import numpy as np
import pytest

from examples_utils.comparison.changes import changes
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.change_points import change_points
from examples_utils.run_model import Run, VariantFacts
from tests.comparison_runs import MACHINE, canary_of, key_of, noisy, run_of

OPTIONS = CompareOptions()
LIMITS = OPTIONS.threshold, OPTIONS.confidence


def series(rng: np.random.Generator, *segments: tuple[int, float], noise: float = 0.02) -> list[list[float]]:
    """Nights of five repetitions: so many at each level."""
    level = np.concatenate([np.full(nights, value) for nights, value in segments])
    nights: list[list[float]] = (
        level[:, None] * np.exp(noise * rng.standard_normal((len(level), 5)))
    ).tolist()
    return nights


def test_a_step_is_dated_within_a_night_and_sized() -> None:
    dated = 0
    for seed in range(12):
        rng = np.random.default_rng([30, seed])
        at = int(rng.integers(8, 52))
        points = change_points(series(rng, (at, 10.0), (60 - at, 10.5)), *LIMITS)
        dated += [abs(point.index - at) <= 1 for point in points] == [True]
        for point in points:
            assert point.low < point.ratio < point.high
            assert point.last_before < point.index <= point.first_after
    assert dated >= 11


def test_a_steady_history_has_none() -> None:
    for seed in range(12):
        assert change_points(series(np.random.default_rng([31, seed]), (90, 10.0)), *LIMITS) == ()


def test_a_drifting_history_is_not_full_of_steps() -> None:
    reported = 0
    for seed in range(12):
        rng = np.random.default_rng([32, seed])
        drift = 0.025 * rng.standard_normal(60)
        for night in range(1, 60):
            drift[night] = 0.7 * drift[night - 1] + np.sqrt(0.51) * drift[night]
        reported += bool(
            change_points(np.exp(drift[:, None] + 0.02 * rng.standard_normal((60, 5))).tolist(), *LIMITS)
        )
    assert reported <= 1


def test_a_step_and_its_repair_are_two() -> None:
    rng = np.random.default_rng(33)
    points = change_points(series(rng, (40, 10.0), (20, 11.0), (40, 10.0)), *LIMITS)
    assert [point.index for point in points] == [40, 60]
    assert [point.ratio for point in points] == pytest.approx([1.1, 1 / 1.1], rel=0.02)


def test_empty_nights_widen_the_range_and_keep_the_count() -> None:
    rng = np.random.default_rng(34)
    nights = series(rng, (20, 10.0), (20, 12.0))
    nights[18:21] = [[], [], []]
    (point,) = change_points(nights, *LIMITS)
    assert (point.last_before, point.index, point.first_after) == (17, 21, 21)


def test_one_bad_night_is_no_change() -> None:
    rng = np.random.default_rng(35)
    assert change_points(series(rng, (20, 10.0), (1, 12.0), (20, 10.0)), *LIMITS) == ()


def test_a_step_below_the_threshold_is_not_told() -> None:
    nights = series(np.random.default_rng(36), (40, 10.0), (40, 10.1), noise=0.005)
    assert change_points(nights, *LIMITS) == ()
    assert len(change_points(nights, 0.005, OPTIONS.confidence)) == 1


@pytest.mark.parametrize("nights", [[], [[1.0]], [[1.0, 1.0]] * 20, [[]] * 10])
def test_histories_too_short_or_constant_have_none(nights: list[list[float]]) -> None:
    assert change_points(nights, *LIMITS) == ()


def test_constant_levels_with_a_step_have_one() -> None:
    (point,) = change_points([[100.0] * 3] * 12 + [[120.0] * 3] * 12, *LIMITS)
    assert point.index == 12
    assert point.ratio == pytest.approx(1.2)


def test_changes_of_a_history_name_runs_and_say_whether_it_got_better() -> None:
    rng = np.random.default_rng(37)
    runs = [
        run_of(
            noisy(
                rng,
                benchmarks=6,
                slower={
                    "benchmark_1": 1.1 if night >= 20 else 1.0,
                    "benchmark_2": 0.9 if night >= 30 else 1.0,
                },
            ),
            f"night {night}",
            canary=canary_of(rng),
        )
        for night in range(40)
    ]
    later, earlier = changes(runs, OPTIONS)
    assert (later.key, later.better) == (key_of("benchmark_2"), True)
    assert (earlier.key, earlier.better) == (key_of("benchmark_1"), False)
    assert (earlier.last_before.run_id, earlier.first_after.run_id) == ("night 19", "night 20")


def test_slow_machines_and_other_machines_leave_no_change_points() -> None:
    rng = np.random.default_rng(38)
    speeds = [1.08 if 10 <= night < 20 else 1.0 for night in range(40)]
    runs = [
        run_of(noisy(rng, benchmarks=6, machine=speed), f"night {night}", canary=canary_of(rng, speed))
        for night, speed in enumerate(speeds)
    ]
    foreign = [replace(run, machine={**MACHINE, "cpu": "other"}) for run in runs[10:20]]
    assert changes([*foreign, *runs], OPTIONS) == ()


def test_runs_with_other_settings_and_figures_of_zero_are_left_out() -> None:
    rng = np.random.default_rng(39)
    runs = [
        run_of(
            {**noisy(rng, benchmarks=1, slower={"benchmark_0": 2.0 if night < 10 else 1.0}), "errors": [0.0]},
            f"night {night}",
            facts={"benchmark_0": VariantFacts("passed", settings={"threads": "1" if night < 10 else "2"})},
        )
        for night in range(30)
    ]
    assert changes(runs, OPTIONS) == ()


@pytest.mark.filterwarnings("error")
def test_figures_that_are_the_same_each_night_have_no_change_points_and_divide_by_no_zero() -> None:
    names = [f"benchmark_{number}" for number in range(5)]
    nights = [run_of({name: [4.0] for name in names}, f"night {night}") for night in range(14)]
    assert changes(nights, OPTIONS) == ()
    slower = [run_of({name: [5.0] for name in names}, f"slow night {night}") for night in range(14)]
    assert {change.key for change in changes([*nights, *slower], OPTIONS)} == {key_of(name) for name in names}


@pytest.mark.parametrize(("threshold", "found"), [(None, 2), (0.10, 0), (0.02, 2)])
def test_the_threshold_of_an_entry_goes_before_that_of_the_command(
    threshold: float | None, found: int
) -> None:
    rng = np.random.default_rng(38)
    facts = {f"benchmark_{number}": VariantFacts("passed", threshold=threshold) for number in range(2)}

    def night(number: int) -> Run:
        slower = dict.fromkeys(facts, 1.05 if number >= 30 else 1.0)
        return run_of(noisy(rng, benchmarks=2, noise=0.005, slower=slower), f"night {number}", facts=facts)

    assert len(changes([night(number) for number in range(60)], OPTIONS)) == found


def test_a_night_on_which_a_figure_was_0_hides_none_of_its_changes() -> None:
    rng = np.random.default_rng(41)
    runs = [
        run_of(
            {
                **noisy(rng, benchmarks=1, slower={"benchmark_0": 1.2 if night >= 20 else 1.0}),
                "errors": [0.0 if night % 3 else 4.0],
            },
            f"night {night}",
        )
        for night in range(40)
    ]
    figures = dict(runs[7].metrics)
    figures[key_of("benchmark_0")] = replace(figures[key_of("benchmark_0")], values=(10.1, 0.0, 9.9))
    runs[7] = replace(runs[7], metrics=figures)
    (found,) = changes(runs, OPTIONS)
    assert (found.key, found.first_after.run_id, found.better) == (key_of("benchmark_0"), "night 20", False)
