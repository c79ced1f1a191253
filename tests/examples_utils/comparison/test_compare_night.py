"""One night compared with earlier nights."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples_utils.comparison.compare_night import compare_night, suspects
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.run_model import MetricKey, Run, VariantFacts
from tests.comparison_runs import MACHINE, canary_of, key_of, noisy, run_of

OPTIONS = CompareOptions()
NIGHTS = 14


def history_of(rng: np.random.Generator, nights: int = NIGHTS, benchmarks: int = 20) -> list[Run]:
    return [
        run_of(noisy(rng, benchmarks=benchmarks), f"night {number}", canary=canary_of(rng))
        for number in range(nights)
    ]


def night_of(
    rng: np.random.Generator, slower: dict[str, float], machine: float = 1.0, benchmarks: int = 20
) -> Run:
    figures = noisy(rng, benchmarks=benchmarks, slower=slower, machine=machine)
    return run_of(figures, "tonight", canary=canary_of(rng, machine))


def repeated(
    rng: np.random.Generator,
    night: Run,
    again: tuple[MetricKey, ...],
    slower: dict[str, float],
    machine: float = 1.0,
) -> Run:
    more = run_of(
        noisy(rng, benchmarks=20, repetitions=OPTIONS.confirmations, slower=slower, machine=machine)
    )
    figures = dict(night.metrics)
    for key in again:
        figures[key] = replace(figures[key], values=(*figures[key].values, *more.metrics[key].values))
    return replace(night, metrics=figures)


def of(comparison: Comparison, name: str) -> MetricVerdict:
    return next(one for one in comparison.judged if one.key == key_of(name))


def test_repetitions_that_a_night_has_already_would_not_settle_it() -> None:
    rng = np.random.default_rng(5)
    levels = [1.0, 1.0, 1.0, 0.89, 0.89, 1.0, 1.0, 1.0, 0.8]
    history = [
        run_of(noisy(rng, benchmarks=4, noise=0.01, slower={"benchmark_0": 1 / level}), f"night {place}")
        for place, level in enumerate(levels)
    ]
    figures = noisy(rng, benchmarks=4, noise=0.01, repetitions=20, slower={"benchmark_0": 1 / 0.8})
    one = of(compare_night(history, run_of(figures), OPTIONS), "benchmark_0")
    assert one.verdict is Verdict.UNCERTAIN
    assert one.needed is None
    assert "its level varies from run to run" in one.reason


@pytest.mark.slow
def test_good_nights_stay_quiet() -> None:
    alarms = 0
    for seed in range(15):
        rng = np.random.default_rng([100, seed])
        history, night = history_of(rng), night_of(rng, {})
        night = repeated(rng, night, suspects(history, night, OPTIONS), {})
        alarms += bool(compare_night(history, night, OPTIONS).regressed)
    assert alarms == 0


@pytest.mark.slow
def test_a_5_percent_slowdown_is_suspected_and_then_called_the_same_night() -> None:
    slower = {"benchmark_3": 1.05}
    called = 0
    for seed in range(10):
        rng = np.random.default_rng([101, seed])
        history, night = history_of(rng), night_of(rng, slower)
        again = suspects(history, night, OPTIONS)
        assert key_of("benchmark_3") in again
        comparison = compare_night(history, repeated(rng, night, again, slower), OPTIONS)
        called += [one.key for one in comparison.regressed] == [key_of("benchmark_3")]
    assert called >= 9


def test_the_suspects_are_the_worse_ones_and_the_likeliest_is_first() -> None:
    rng = np.random.default_rng(102)
    night = night_of(rng, {"benchmark_1": 1.07, "benchmark_2": 1.3, "benchmark_3": 0.7})
    again = suspects(history_of(rng), night, OPTIONS)
    assert again[:2] == (key_of("benchmark_2"), key_of("benchmark_1"))
    assert key_of("benchmark_3") not in again


def test_a_figure_for_which_higher_is_better_is_suspected_when_it_falls() -> None:
    rng = np.random.default_rng(103)
    history = [run_of(noisy(rng), f"night {number}", direction="higher") for number in range(NIGHTS)]
    night = run_of(noisy(rng, slower={"benchmark_1": 0.9, "benchmark_2": 1.1}), direction="higher")
    again = suspects(history, night, OPTIONS)
    assert key_of("benchmark_1") in again
    assert key_of("benchmark_2") not in again


@pytest.mark.slow
def test_a_small_slowdown_that_lasts_is_called_with_the_number_of_its_nights() -> None:
    slower = {"benchmark_3": 1.03}
    called, lasting = 0, 0
    for seed in range(4):
        rng = np.random.default_rng([104, seed])
        history = history_of(rng)
        for _ in range(3):
            night = night_of(rng, slower)
            night = repeated(rng, night, suspects(history, night, OPTIONS), slower)
            comparison = compare_night(history, night, OPTIONS)
            history.append(night)
        one = of(comparison, "benchmark_3")
        called += one.verdict is Verdict.REGRESSED
        lasting += one.reason == "for 3 runs now"
        assert one.ratio is not None
        assert 1.01 < one.ratio < 1.05
    assert called >= 3
    assert lasting >= 2


def test_a_night_on_which_the_machine_is_slow_says_so_once() -> None:
    rng = np.random.default_rng(105)
    history, night = history_of(rng), night_of(rng, {"benchmark_7": 1.1}, machine=1.06)
    again = suspects(history, night, OPTIONS)
    comparison = compare_night(history, repeated(rng, night, again, {"benchmark_7": 1.1}, 1.06), OPTIONS)
    assert comparison.movement is not None
    assert comparison.movement.low < 1.06 < comparison.movement.high
    assert set(comparison.movement.canary) == {"compute_s", "memory_s"}
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_7")]


def test_slow_nights_of_the_past_do_not_hide_a_regression() -> None:
    rng = np.random.default_rng(106)
    history = [
        run_of(noisy(rng, benchmarks=20, machine=speed), f"night {number}", canary=canary_of(rng, speed))
        for number, speed in enumerate(
            [1.0, 1.07, 1.0, 1.0, 1.05, 1.0, 1.0, 1.0, 1.06, 1.0, 1.0, 1.04, 1.0, 1.0]
        )
    ]
    night = night_of(rng, {"benchmark_3": 1.06})
    comparison = compare_night(
        history, repeated(rng, night, (key_of("benchmark_3"),), {"benchmark_3": 1.06}), OPTIONS
    )
    assert comparison.movement is None
    assert of(comparison, "benchmark_3").verdict is Verdict.REGRESSED


@pytest.mark.parametrize("canary", [True, False])
def test_a_suite_that_is_slower_without_its_canary_regresses(canary: bool) -> None:
    rng = np.random.default_rng(107)
    history = history_of(rng)
    night = replace(night_of(rng, {}, machine=1.15), canary=canary_of(rng) if canary else {})
    comparison = compare_night(history, night, OPTIONS)
    assert comparison.movement is None
    assert len(comparison.regressed) == 20
    assert "slower in the median" in comparison.differences[-1]


def test_a_benchmark_whose_level_drifts_is_held_to_its_own_unrest() -> None:
    rng = np.random.default_rng(108)
    levels = 1 + 0.04 * rng.standard_normal(NIGHTS)
    history = [
        run_of(noisy(rng, benchmarks=20, slower={"benchmark_0": level}), f"night {number}")
        for number, level in enumerate(levels)
    ]
    comparison = compare_night(history, night_of(rng, {"benchmark_0": 1.05, "benchmark_1": 1.08}), OPTIONS)
    assert of(comparison, "benchmark_0").verdict is Verdict.UNCERTAIN
    assert of(comparison, "benchmark_1").verdict is Verdict.REGRESSED


@given(st.floats(1e-3, 1e3), st.integers(0, 5))
@settings(max_examples=6)
def test_neither_the_unit_nor_the_order_of_repetitions_matters(factor: float, seed: int) -> None:
    rng = np.random.default_rng([109, seed])
    history, night = history_of(rng, benchmarks=4), night_of(rng, {"benchmark_1": 1.06}, benchmarks=4)
    scaled = [
        replace(
            run,
            metrics={
                key: replace(figure, values=tuple(factor * value for value in reversed(figure.values)))
                for key, figure in run.metrics.items()
            },
        )
        for run in (*history, night)
    ]
    plain, other = compare_night(history, night, OPTIONS), compare_night(scaled[:-1], scaled[-1], OPTIONS)
    for one, same in zip(plain.judged, other.judged, strict=True):
        assert same.verdict is one.verdict
        assert same.ratio == pytest.approx(one.ratio)
        assert same.p == pytest.approx(one.p, rel=1e-4)


def test_without_a_history_everything_is_new() -> None:
    night = night_of(np.random.default_rng(110), {})
    assert suspects([], night, OPTIONS) == ()
    assert {one.verdict for one in compare_night([], night, OPTIONS).judged} == {Verdict.NEW}


def test_one_night_of_history_calls_only_what_no_change_of_nights_could_explain() -> None:
    rng = np.random.default_rng(111)
    history = history_of(rng, nights=1)
    comparison = compare_night(history, night_of(rng, {"benchmark_1": 1.04}), OPTIONS)
    assert not comparison.regressed


def test_nights_on_another_machine_do_not_count() -> None:
    rng = np.random.default_rng(112)
    other = [replace(run, machine={**MACHINE, "cpu": "Eight Cores"}) for run in history_of(rng, nights=3)]
    history = [*history_of(rng), *other]
    comparison = compare_night(history, night_of(rng, {}), OPTIONS)
    assert comparison.base_title == "14 runs up to night 13"
    assert not comparison.differences
    alone = compare_night(other, night_of(rng, {}), OPTIONS)
    assert {one.verdict for one in alone.judged} == {Verdict.NOT_COMPARABLE}
    assert suspects(other, night_of(rng, {}), OPTIONS) == ()


def test_nights_in_which_a_benchmark_failed_leave_gaps_and_no_more() -> None:
    rng = np.random.default_rng(113)
    history = history_of(rng)
    variant = key_of("benchmark_3").of_variant
    for number in (2, 5, 13):
        broken = {**history[number].variants, variant: VariantFacts("failed", "exit code 1")}
        figures = {
            key: figure for key, figure in history[number].metrics.items() if key.of_variant != variant
        }
        history[number] = replace(history[number], variants=broken, metrics=figures)
    comparison = compare_night(history, night_of(rng, {"benchmark_3": 1.15}), OPTIONS)
    one = of(comparison, "benchmark_3")
    assert (one.verdict, one.base_runs, one.base_values) == (Verdict.REGRESSED, 11, 55)


def test_a_night_with_a_single_repetition_is_judged_by_the_spread_of_nights() -> None:
    rng = np.random.default_rng(114)
    history = [run_of(noisy(rng, repetitions=1), f"night {number}") for number in range(NIGHTS)]
    comparison = compare_night(
        history, run_of(noisy(rng, repetitions=1, slower={"benchmark_1": 1.4})), OPTIONS
    )
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_1")]


def test_constant_figures_are_judged_beside_noisy_ones() -> None:
    rng = np.random.default_rng(115)
    runs = [
        run_of({**noisy(rng), "parameters": [25e6] * 5, "errors": [0.0] * 5}, f"night {number}")
        for number in range(NIGHTS)
    ]
    night = run_of({**noisy(rng), "parameters": [26e6] * 5, "errors": [0.0] * 5})
    comparison = compare_night(runs, night, OPTIONS)
    assert of(comparison, "parameters").verdict is Verdict.REGRESSED
    assert of(comparison, "errors").verdict is Verdict.UNCHANGED


def test_a_fifth_of_the_nights_with_a_hiccup_raises_no_alarm() -> None:
    rng = np.random.default_rng(116)
    history = history_of(rng)
    night = night_of(rng, {})
    key = key_of("benchmark_2")
    values = (*night.metrics[key].values[:4], 3 * night.metrics[key].values[4])
    hiccup = replace(night, metrics={**night.metrics, key: replace(night.metrics[key], values=values)})
    assert not compare_night(history, hiccup, OPTIONS).regressed


@pytest.mark.slow
def test_a_figure_that_repeats_itself_within_a_night_is_judged_by_the_spread_of_nights() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng([117, seed])
        sizes = 100 * np.exp(0.02 * rng.standard_normal(NIGHTS + 1))
        runs = [run_of({"size": [size] * 5}, f"night {number}") for number, size in enumerate(sizes.tolist())]
        alarms += bool(compare_night(runs[:-1], runs[-1], OPTIONS).regressed)
    assert alarms <= 1


def nights_of(levels: list[float], figure: str = "errors", repetitions: int = 5) -> list[Run]:
    """Nights of a steady suite, and of one more metric, whose level is the same in each repetition of a night."""
    rng = np.random.default_rng(118)
    return [
        run_of({**noisy(rng), figure: [level] * repetitions}, f"night {number}")
        for number, level in enumerate(levels)
    ]


def test_what_begins_to_fail_is_suspected_and_called_for_three_nights() -> None:
    nights = nights_of([0.0] * NIGHTS + [500.0] * 4)
    for lasted in (1, 2, 3):
        *history, night = nights[: NIGHTS + lasted]
        assert suspects(history, night, OPTIONS)[0] == key_of("errors")
        one = of(compare_night(history, night, OPTIONS), "errors")
        assert (one.verdict, one.ratio, one.lasted_runs) == (Verdict.REGRESSED, None, lasted)
        assert (one.base, one.new, one.base_runs) == (0.0, 500.0, NIGHTS)
    assert of(compare_night(nights[:-1], nights[-1], OPTIONS), "errors").verdict is Verdict.UNCERTAIN


@pytest.mark.slow
def test_a_figure_that_goes_from_night_to_night_around_0_raises_no_alarm() -> None:
    alarms = 0
    for seed in range(100):
        levels = np.random.default_rng([119, seed]).standard_normal(NIGHTS + 1).tolist()
        *history, night = nights_of(levels, "drift")
        alarms += of(compare_night(history, night, OPTIONS), "drift").verdict is Verdict.REGRESSED
    assert alarms <= 2


def test_one_night_against_another_says_nothing_of_a_figure_without_a_ratio() -> None:
    before, night = nights_of([-0.3, 0.4], "drift", 20)
    assert of(compare_night([before], night, OPTIONS), "drift").verdict is Verdict.UNCERTAIN


def without(run: Run, name: str) -> Run:
    variant = key_of(name).of_variant
    return replace(
        run,
        variants={key: facts for key, facts in run.variants.items() if key != variant},
        metrics={key: figure for key, figure in run.metrics.items() if key.of_variant != variant},
    )


@pytest.mark.parametrize(
    ("holding", "missing"),
    [
        (range(NIGHTS), True),
        (range(11, NIGHTS), True),  # new, and gone again
        (range(0, NIGHTS, 2), True),
        ([3, 10], False),
        ([7, 9, 11], False),
    ],
)
def test_a_variant_is_missing_if_most_nights_since_it_came_have_it(holding: range, missing: bool) -> None:
    rng = np.random.default_rng(120)
    history = [
        run if number in holding else without(run, "benchmark_3")
        for number, run in enumerate(history_of(rng, benchmarks=5))
    ]
    comparison = compare_night(history, without(night_of(rng, {}, benchmarks=5), "benchmark_3"), OPTIONS)
    verdicts = {one.key: one.verdict for one in comparison.judged}
    assert verdicts.get(key_of("benchmark_3")) == (Verdict.MISSING if missing else None)
    assert len(verdicts) == 4 + missing


def test_of_two_sides_that_are_named_everything_that_one_lacks_is_missing() -> None:
    rng = np.random.default_rng(121)
    history = [
        run if number == 3 else without(run, "benchmark_3")
        for number, run in enumerate(history_of(rng, benchmarks=5))
    ]
    night = without(night_of(rng, {}, benchmarks=5), "benchmark_3")
    assert of(compare_runs(history, [night], OPTIONS), "benchmark_3").verdict is Verdict.MISSING
