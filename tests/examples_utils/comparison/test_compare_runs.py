"""One run against another, and two sides that took turns."""

from dataclasses import replace
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import regression_line
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.machine.disturbance import Counters, disturbance_warnings, taken_between
from examples_utils.problems import RequestError
from examples_utils.run_model import Run, VariantFacts
from tests.comparison_runs import MACHINE, canary_of, key_of, noisy, run_of

AB = CompareOptions(interleaved=True, resamples=300)
APART = CompareOptions(resamples=300)
COUNTERS = Counters(0.0, 0.0, 0.0, 0.0, 0, 0)

# With nine digits, as programs print them: two are equal, or differ by more than the rounding of a computation.
printed = st.floats(0.5, 2.0).map(lambda value: float(f"{value:.9g}"))
figures = st.lists(printed, min_size=2, max_size=8)


def judged(comparison: Comparison, name: str, metric: str = "latency") -> MetricVerdict:
    return next(one for one in comparison.judged if one.key == key_of(name, metric))


def compared(base: Run, new: Run, options: CompareOptions = AB) -> Comparison:
    return compare_runs([base], [new], options)


def test_a_clear_slowdown_regresses_and_nothing_else_does() -> None:
    rng = np.random.default_rng(1)
    base = run_of(noisy(rng, repetitions=10))
    new = run_of(noisy(rng, repetitions=10, slower={"benchmark_3": 1.1}), "new")
    comparison = compared(base, new)
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_3")]
    one = judged(comparison, "benchmark_3")
    assert one.low is not None
    assert one.high is not None
    assert one.low < 1.1 < one.high
    assert one.low > 1.02


def test_five_repetitions_a_side_are_enough_for_a_large_effect_in_a_large_suite() -> None:
    rng = np.random.default_rng(2)
    base = run_of(noisy(rng, benchmarks=50))
    new = run_of(noisy(rng, benchmarks=50, slower={"benchmark_7": 1.2}))
    assert [one.key for one in compared(base, new).regressed] == [key_of("benchmark_7")]


@pytest.mark.parametrize(
    ("direction", "verdict"), [("lower", Verdict.REGRESSED), ("higher", Verdict.IMPROVED)]
)
def test_the_direction_says_what_a_rise_means(direction: str, verdict: Verdict) -> None:
    rng = np.random.default_rng(3)
    base = run_of(noisy(rng, benchmarks=1, repetitions=10), direction=direction)
    new = run_of(noisy(rng, benchmarks=1, repetitions=10, slower={"benchmark_0": 1.3}), direction=direction)
    assert compared(base, new).judged[0].verdict is verdict


def test_a_change_without_direction_is_told_but_neither_good_nor_bad() -> None:
    rng = np.random.default_rng(3)
    base = run_of(noisy(rng, benchmarks=1, repetitions=10), direction=None)
    new = run_of(noisy(rng, benchmarks=1, repetitions=10, slower={"benchmark_0": 1.3}), direction=None)
    one = compared(base, new).judged[0]
    assert one.verdict is Verdict.UNCERTAIN
    assert "higher or lower is better is unknown" in one.reason
    assert one.needed is None


@given(figures)
@settings(max_examples=15)
def test_identical_figures_never_regress(values: list[float]) -> None:
    comparison = compared(run_of({"a": values}), run_of({"a": values}, "new"))
    assert comparison.judged[0].verdict in (Verdict.UNCHANGED, Verdict.UNCERTAIN)
    assert comparison.judged[0].ratio == pytest.approx(1.0)


@given(figures, figures, st.floats(1e-6, 1e6))
@settings(max_examples=15)
def test_the_unit_of_the_figures_does_not_matter(base: list[float], new: list[float], factor: float) -> None:
    one = compared(run_of({"a": base}), run_of({"a": new})).judged[0]
    scaled = compared(
        run_of({"a": [factor * value for value in base]}), run_of({"a": [factor * value for value in new]})
    ).judged[0]
    assert scaled.verdict is one.verdict
    assert scaled.ratio == pytest.approx(one.ratio)
    assert scaled.p == pytest.approx(one.p, abs=1e-6)


@given(figures, figures)
@settings(max_examples=15)
def test_base_and_new_swapped_give_the_inverse(base: list[float], new: list[float]) -> None:
    there = compared(run_of({"a": base}), run_of({"a": new})).judged[0]
    back = compared(run_of({"a": new}), run_of({"a": base})).judged[0]
    assert there.ratio is not None
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.p == pytest.approx(there.p, abs=1e-6)


@given(figures, figures, st.randoms(use_true_random=False))
@example([2.0, 1.0625, 2.0, 1.5], [0.5, 1.0, 1.0], Random(1))  # the interval depended on the order
@settings(max_examples=15)
def test_the_order_of_repetitions_does_not_matter(base: list[float], new: list[float], random) -> None:
    shuffled = random.sample(new, len(new))
    one = compared(run_of({"a": base}), run_of({"a": new})).judged[0]
    other = compared(run_of({"a": base}), run_of({"a": shuffled})).judged[0]
    assert (other.verdict, other.ratio, other.p) == (
        one.verdict,
        pytest.approx(one.ratio),
        pytest.approx(one.p),
    )


def test_one_repetition_a_side_is_uncertain_and_says_how_many_it_takes() -> None:
    one = compared(run_of({"a": [1.0]}), run_of({"a": [3.0]})).judged[0]
    assert (one.verdict, one.needed, one.low) == (Verdict.UNCERTAIN, 5, None)
    assert one.ratio == pytest.approx(3.0)


@pytest.mark.slow
def test_the_repetitions_that_are_needed_do_settle_it() -> None:
    rng = np.random.default_rng(4)
    base = run_of(noisy(rng, benchmarks=1, noise=0.1))
    new = run_of(noisy(rng, benchmarks=1, noise=0.1, slower={"benchmark_0": 1.1}))
    few = compared(base, new).judged[0]
    assert few.verdict is Verdict.UNCERTAIN
    assert few.needed is not None
    settled = 0
    for _ in range(8):
        base = run_of(noisy(rng, benchmarks=1, noise=0.1, repetitions=2 * few.needed))
        new = run_of(
            noisy(rng, benchmarks=1, noise=0.1, repetitions=2 * few.needed, slower={"benchmark_0": 1.1})
        )
        settled += compared(base, new).judged[0].verdict is not Verdict.UNCERTAIN
    assert settled >= 6


def test_a_small_sure_change_below_the_threshold_is_none() -> None:
    rng = np.random.default_rng(5)
    base = run_of(noisy(rng, noise=0.001, repetitions=10))
    new = run_of(noisy(rng, noise=0.001, repetitions=10, slower={"benchmark_2": 1.01}))
    assert judged(compared(base, new), "benchmark_2").verdict is Verdict.UNCHANGED
    strict = compared(base, new, replace(AB, threshold=0.005))
    assert judged(strict, "benchmark_2").verdict is Verdict.REGRESSED


def test_the_threshold_of_a_benchmark_goes_before_that_of_the_command() -> None:
    rng = np.random.default_rng(5)
    facts = {"benchmark_2": VariantFacts("passed", threshold=0.2)}
    base = run_of(noisy(rng, repetitions=10))
    new = run_of(noisy(rng, repetitions=10, slower={"benchmark_2": 1.1}), facts=facts)
    one = judged(compared(base, new), "benchmark_2")
    assert (one.verdict, one.threshold) == (Verdict.UNCHANGED, 0.2)


def test_two_runs_apart_are_not_trusted_to_the_last_percent() -> None:
    rng = np.random.default_rng(6)
    base = run_of(noisy(rng, noise=0.002, benchmarks=3))
    new = run_of(noisy(rng, noise=0.002, benchmarks=3, slower={"benchmark_1": 1.03}))
    assert judged(compared(base, new, AB), "benchmark_1").verdict is Verdict.REGRESSED
    apart = judged(compared(base, new, APART), "benchmark_1")
    assert (apart.verdict, apart.needed) == (Verdict.UNCERTAIN, None)
    assert "runs on other nights, or ab, would settle it" in apart.reason
    assert "assumed: few metrics" in compared(base, new, APART).run_noise


def test_a_quiet_suite_shows_that_single_runs_hardly_differ() -> None:
    rng = np.random.default_rng(6)
    base = run_of(noisy(rng, noise=0.001, benchmarks=20))
    new = run_of(noisy(rng, noise=0.001, benchmarks=20, slower={"benchmark_1": 1.03}))
    comparison = compared(base, new, APART)
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_1")]
    assert sum(one.verdict is Verdict.UNCHANGED for one in comparison.judged) == 19
    assert "from the spread of the changes of 20 metrics" in comparison.run_noise
    assert compared(base, new, AB).run_noise == ""


@pytest.mark.parametrize("benchmarks", [1, 3, 20])
def test_identical_runs_are_unchanged(benchmarks: int) -> None:
    run = run_of(noisy(np.random.default_rng(7), noise=0.001, benchmarks=benchmarks))
    verdicts = [one.verdict for one in compared(run, run, APART).judged]
    assert verdicts == [Verdict.UNCHANGED] * benchmarks


def test_earlier_runs_show_how_much_single_runs_differ() -> None:
    rng = np.random.default_rng(8)

    def runs(number: int, spread: float) -> list[Run]:
        return [
            run_of(
                noisy(rng, noise=0.001, benchmarks=1, machine=float(np.exp(spread * rng.standard_normal())))
            )
            for _ in range(number)
        ]

    base, slower = (run_of(noisy(rng, noise=0.001, benchmarks=1, machine=factor)) for factor in (1.0, 1.04))
    assert compare_runs([base], [slower], APART, runs(12, 0.001)).regressed
    restless = compare_runs([base], [slower], APART, runs(12, 0.03))
    assert not restless.regressed
    assert "from 12 earlier runs of this machine in the history" in restless.run_noise
    elsewhere = [replace(run, machine={**MACHINE, "cpu": "Eight Cores"}) for run in runs(12, 0.001)]
    assert "assumed" in compare_runs([base], [slower], APART, elsewhere).run_noise


def test_runs_of_different_days_are_noted_unless_earlier_runs_show_their_noise() -> None:
    rng = np.random.default_rng(9)
    base, new, *earlier = (run_of(noisy(rng)) for _ in range(8))
    tomorrow = replace(new, started_utc="2026-11-25T01:00:00+00:00")
    assert compare_runs([base], [new], APART).differences == ()
    (note,) = compare_runs([base], [tomorrow], APART).differences
    assert "different days" in note
    assert "with ab, or" in note
    assert "branch:main:10" in note
    assert compare_runs([base], [tomorrow], APART, earlier).differences == ()


def test_a_constant_that_stays_is_unchanged_and_one_that_moves_is_called() -> None:
    base = run_of({"parameters": [25_000_000.0] * 5, "other": [1.0] * 5}, unit=None)
    new = run_of({"parameters": [25_000_000.0] * 5, "other": [1.5] * 5}, unit=None)
    comparison = compared(base, new)
    assert judged(comparison, "parameters").verdict is Verdict.UNCHANGED
    assert judged(comparison, "other").verdict is Verdict.REGRESSED


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ([1.0, -1.0, 2.0], [1.0, 1.5, 2.0]),  # overlap
        ([0.0] * 5, [3.0, 4.0, 0.0, 5.0, 4.0]),  # touch
        ([-100.0] * 5, [-101.0] * 5),  # below the threshold
        ([-100.0], [-120.0]),  # one against one
        ([0.0] * 3, [500.0] * 3),  # too few to reach 5%
    ],
)
def test_figures_without_a_ratio_are_uncertain_unless_they_lie_apart(
    base: list[float], new: list[float]
) -> None:
    one = compared(run_of({"a": base}), run_of({"a": new})).judged[0]
    assert (one.verdict, one.ratio) == (Verdict.UNCERTAIN, None)
    assert "0 or below" in one.reason


@pytest.mark.parametrize(
    ("direction", "base", "new", "verdict"),
    [
        ("higher", [100.0, 101.0, 99.0, 100.5, 100.2], [0.0] * 5, Verdict.REGRESSED),
        ("higher", [0.75] * 4, [0.0] * 4, Verdict.REGRESSED),
        ("lower", [0.0] * 5, [500.0, 498.0, 501.0, 499.0, 500.0], Verdict.REGRESSED),
        ("lower", [0.0, 1.0, 0.0, 0.0, 2.0], [3.0, 4.0, 3.0, 5.0, 4.0], Verdict.REGRESSED),
        ("lower", [500.0] * 5, [0.0] * 5, Verdict.IMPROVED),
        ("lower", [-100.0] * 5, [-120.0] * 5, Verdict.IMPROVED),
        ("higher", [-1.0, -1.1, -0.9, -1.0], [0.5, 0.6, 0.4, 0.5], Verdict.IMPROVED),
    ],
)
@pytest.mark.parametrize("options", [AB, APART])
def test_figures_without_a_ratio_that_lie_apart_are_called_with_both_values(
    direction: str, base: list[float], new: list[float], verdict: Verdict, options: CompareOptions
) -> None:
    one = compared(run_of({"a": base}, direction=direction), run_of({"a": new}, direction=direction), options)
    (reported,) = one.judged
    assert (reported.verdict, reported.ratio, reported.low, reported.high) == (verdict, None, None, None)
    assert f"{median(base):.5g} in the base and {median(new):.5g} now" in reported.reason
    assert reported.q is not None
    assert reported.q <= 0.05
    assert one.geometric_mean is None


def test_a_figure_without_a_ratio_and_without_a_direction_is_uncertain() -> None:
    (one,) = compared(
        run_of({"a": [0.0] * 5}, direction=None), run_of({"a": [5.0] * 5}, direction=None)
    ).judged
    assert one.verdict is Verdict.UNCERTAIN
    assert "higher or lower is better is unknown" in one.reason


def test_the_more_figures_without_a_ratio_differ_the_more_repetitions_each_of_them_takes() -> None:
    def comparison(repetitions: int) -> Comparison:
        names = [f"benchmark_{number}" for number in range(10)]
        base = run_of({name: [0.0] * repetitions for name in (*names, "stays")})
        new = {name: [1.0] * repetitions for name in names} | {"stays": [0.0] * repetitions}
        return compared(base, run_of(new))

    few = comparison(5).judged[0]
    assert (few.verdict, few.needed) == (Verdict.UNCERTAIN, 6)
    assert "6 repetitions per side would settle it" in few.reason
    assert len(comparison(6).regressed) == 10


def test_figures_below_0_silence_no_others() -> None:
    rng = np.random.default_rng(8)
    base = [run_of({**noisy(rng), "benchmark_1": [-100.0]}) for _ in range(3)]
    new = run_of({**noisy(rng, slower={"benchmark_3": 1.5}), "benchmark_1": [-120.0]})
    comparison = compare_runs(base, [new], APART)
    assert key_of("benchmark_3") in {one.key for one in comparison.regressed}
    assert judged(comparison, "benchmark_1").verdict is Verdict.UNCERTAIN
    assert comparison.geometric_mean is not None
    assert comparison.geometric_mean < 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_figures_that_are_no_numbers_are_uncertain_and_spoil_no_others(bad: float) -> None:
    rng = np.random.default_rng(7)
    base = run_of(noisy(rng, repetitions=10))
    new = run_of({**noisy(rng, repetitions=10, slower={"benchmark_3": 1.2}), "benchmark_1": [10.0, bad]})
    comparison = compared(base, new)
    one = judged(comparison, "benchmark_1")
    assert (one.verdict, one.new, one.ratio) == (Verdict.UNCERTAIN, 10.0, None)
    assert "not finite" in one.reason
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_3")]


def test_several_runs_a_side_are_levels_that_vary() -> None:
    rng = np.random.default_rng(15)

    def runs(number: int, factor: float, spread: float) -> list[Run]:
        return [
            run_of(noisy(rng, slower={"benchmark_2": factor * float(np.exp(spread * rng.standard_normal()))}))
            for _ in range(number)
        ]

    steady = compare_runs(runs(6, 1.0, 0.0), runs(3, 1.1, 0.0), APART)
    assert [one.key for one in steady.regressed] == [key_of("benchmark_2")]
    one = judged(steady, "benchmark_2")
    assert (one.base_runs, one.base_values, one.new_values) == (6, 30, 15)
    assert not compare_runs(runs(6, 1.0, 0.1), runs(3, 1.1, 0.1), APART).regressed


def test_zeros_that_stay_are_unchanged() -> None:
    assert compared(run_of({"a": [0.0] * 3}), run_of({"a": [0.0] * 3})).judged[0].verdict is Verdict.UNCHANGED


def test_new_missing_and_failed_are_told_apart() -> None:
    base = run_of({"stays": [1.0, 1.1], "goes": [1.0, 1.1], "breaks": [1.0, 1.1], "waits": [1.0, 1.1]})
    facts = {
        "breaks": VariantFacts("failed", "exit code 1"),
        "waits": VariantFacts("skipped", "no GPU"),
        "never": VariantFacts("failed", "timeout"),
    }
    new = run_of({"stays": [1.0, 1.1], "comes": [2.0]}, facts=facts)
    comparison = compared(base, new)
    assert {one.key.benchmark: (one.verdict.value, one.key.metric) for one in comparison.judged} == {
        "stays": ("uncertain", "latency"),
        "comes": ("new", "latency"),
        "goes": ("missing", "latency"),
        "breaks": ("failed", "latency"),
        "waits": ("missing", "latency"),
        "never": ("failed", "status"),
    }
    assert judged(comparison, "breaks").reason == "failed: exit code 1"
    assert judged(comparison, "goes").base == pytest.approx(1.05)


def test_another_machine_is_not_comparable_and_the_difference_is_named() -> None:
    base = run_of({"a": [1.0, 1.1]}, machine={**MACHINE, "cpu": "Eight Cores", "hostname": "two"})
    comparison = compared(base, run_of({"a": [2.0, 2.1]}))
    one = comparison.judged[0]
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert one.reason == "machine: cpu Eight Cores in the base, Sixteen Cores now"
    assert "cpu Eight Cores in the base, Sixteen Cores now" in comparison.differences[0]
    assert comparison.geometric_mean is None


def test_the_flags_that_one_cpu_lacks_are_named() -> None:
    flags = ["avx2", "avx512_bf16", "avx512f"]
    base = run_of({"a": [1.0, 1.1]}, machine={**MACHINE, "cpu_flags": flags})
    comparison = compared(
        base, run_of({"a": [2.0, 2.1]}, machine={**MACHINE, "cpu_flags": ["avx2", "avx_vnni"]})
    )
    one = comparison.judged[0]
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert one.reason == "machine: cpu_flags avx512_bf16, avx512f only in the base, avx_vnni only now"


def test_time_that_was_stolen_from_a_variant_is_named_with_its_regression() -> None:
    stolen = disturbance_warnings(taken_between(COUNTERS, replace(COUNTERS, clock_s=10, stolen_s=1.4), 2))
    base = run_of({"a": [1.0, 1.01, 0.99, 1.0, 1.0], "b": [1.0, 1.01, 0.99, 1.0, 1.0]})
    slower = {"a": [1.3, 1.31, 1.29, 1.3, 1.3], "b": [1.0, 1.01, 0.99, 1.0, 1.0]}
    facts = {"a": VariantFacts("passed", warnings=("another", *stolen))}
    comparison = compare_runs([base], [run_of(slower, facts=facts)], replace(APART, run_noise=0.01))
    regressed = judged(comparison, "a")
    assert regressed.verdict is Verdict.REGRESSED
    assert regressed.reason == "meanwhile, 7.0% of the cores' time was stolen by the hypervisor"
    assert "meanwhile" not in judged(comparison, "b").reason
    line = regression_line(Regression(regressed, base, base, 1))
    assert line.endswith("UTC; meanwhile, 7.0% of the cores' time was stolen by the hypervisor")


def test_an_update_of_the_machine_s_software_is_named_and_compared() -> None:
    figures = {"a": [1.0, 1.01, 0.99, 1.0, 1.0]}
    machine = {**MACHINE, "kernel": "6.1", "microcode": "0x1", "drivers": {"nvidia": "550.54"}}
    later = {**machine, "kernel": "6.8", "drivers": {"nvidia": "560.1"}}
    comparison = compared(run_of(figures, machine=machine), run_of(figures, machine=later))
    assert comparison.judged[0].verdict is not Verdict.NOT_COMPARABLE
    assert comparison.differences == (
        "software of the machine: kernel 6.1 in the base, 6.8 now; nvidia driver 550.54 in the base, 560.1 now: "
        "in the base run; a change may come from it",
    )


def test_the_host_name_alone_makes_no_difference() -> None:
    base = run_of({"a": [1.0, 1.1, 1.05]}, machine={**MACHINE, "hostname": "two"})
    comparison = compared(base, run_of({"a": [1.0, 1.1, 1.05]}))
    assert comparison.judged[0].verdict is not Verdict.NOT_COMPARABLE
    assert comparison.differences == ()


def test_other_settings_are_not_comparable_and_the_figures_are_still_shown() -> None:
    base = run_of(
        {"a": [1.0, 1.1], "b": [1.0, 1.1]}, facts={"a": VariantFacts("passed", settings={"threads": "2"})}
    )
    new = run_of(
        {"a": [2.0, 2.2], "b": [1.0, 1.1]}, facts={"a": VariantFacts("passed", settings={"threads": "1"})}
    )
    comparison = compared(base, new)
    one = judged(comparison, "a")
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert one.reason == "settings: threads 2 in the base, 1 now"
    assert one.ratio == pytest.approx(2.0)
    assert judged(comparison, "b").verdict is not Verdict.NOT_COMPARABLE
    assert comparison.differences == ("settings: threads 2 in the base, 1 now: a; not comparable",)


def test_other_images_are_not_comparable_and_are_named() -> None:
    def run(digest: str) -> Run:
        settings = {"image_files": f"20 (sha256:{digest * 16})"}
        return run_of({"a": [1.0, 1.1]}, facts={"a": VariantFacts("passed", settings=settings)})

    comparison = compared(run("ab12"), run("cd34"), APART)
    assert judged(comparison, "a").verdict is Verdict.NOT_COMPARABLE
    named = "settings: other images: 20 (ab12ab12…) in the base, 20 (cd34cd34…) now"
    assert judged(comparison, "a").reason == named
    assert comparison.differences == (f"{named}: a; not comparable",)


@pytest.mark.parametrize("lacks", [0, 1])
def test_a_side_without_settings_is_compared(lacks: int) -> None:
    run = run_of({"a": [1.0, 1.1, 1.2]}, facts={"a": VariantFacts("passed", settings={"threads": "2"})})
    sides = [run, run]
    sides[lacks] = replace(run, variants={})
    assert compared(*sides).judged[0].verdict not in (Verdict.NEW, Verdict.NOT_COMPARABLE)


def test_an_emptied_model_cache_is_no_regression() -> None:
    def run(state: str, seconds: float) -> Run:
        facts = {"a": VariantFacts("passed", settings={"model_cache": state})}
        start = run_of({"a": [seconds, seconds * 1.01]}, facts=facts, metric="compile_time")
        return replace(start, metrics=start.metrics | run_of({"a": [1.0, 1.01]}).metrics)

    comparison = compared(run("hit", 0.2), run("miss", 20.0), AB)
    start = judged(comparison, "a", "compile_time")
    assert start.verdict is Verdict.NEW
    assert start.reason == "the base does not have it with model_cache miss"
    assert judged(comparison, "a").verdict is Verdict.UNCHANGED
    assert comparison.differences == ()
    slower = compared(run("miss", 10.0), run("miss", 20.0), AB)
    assert judged(slower, "a", "compile_time").verdict is Verdict.REGRESSED


def test_a_base_from_before_images_were_identified_is_compared_with_a_remark() -> None:
    settings = {"threads": "2", "image_files": f"20 (sha256:{'ab12' * 16})"}
    base = run_of({"a": [1.0, 1.1]}, facts={"a": VariantFacts("passed", settings={"threads": "2"})})
    new = run_of({"a": [1.0, 1.1]}, facts={"a": VariantFacts("passed", settings=settings)})
    comparison = compared(base, new, APART)
    assert judged(comparison, "a").verdict is not Verdict.NOT_COMPARABLE
    assert comparison.differences == ("settings: images unknown in the base: a; compared nevertheless",)


def test_new_runs_of_other_settings_than_the_last_one_are_left_out_and_told() -> None:
    def run(latency: float, threads: str) -> Run:
        return run_of(
            {"a": [latency] * 3}, facts={"a": VariantFacts("passed", settings={"threads": threads})}
        )

    comparison = compare_runs([run(10, "1"), run(10.1, "1")], [run(5, "2"), run(10, "1")], APART)
    one = judged(comparison, "a")
    assert (one.new, one.new_values) == (10, 3)
    assert comparison.differences == (
        "settings: threads 2 earlier, 1 in the last run: a; the new runs with those are omitted",
    )


def test_another_unit_is_not_comparable() -> None:
    one = compared(run_of({"a": [1.0, 1.1]}, unit="s"), run_of({"a": [1000.0, 1100.0]}, unit="ms")).judged[0]
    assert (one.verdict, one.reason) == (Verdict.NOT_COMPARABLE, "unit: s in the base, ms now")
    assert (one.base, one.new, one.ratio, one.unit) == (pytest.approx(1.05), 1050, None, None)


def test_another_unit_on_another_machine_has_no_ratio_either() -> None:
    machine = {**MACHINE, "cpu": "Eight Cores"}
    new = run_of({"a": [1000.0, 1100.0]}, unit="ms")
    one = compared(run_of({"a": [1.0, 1.1]}, unit="s", machine=machine), new).judged[0]
    assert (one.verdict, one.ratio, one.unit) == (Verdict.NOT_COMPARABLE, None, None)
    mixed = [
        run_of({"a": [value] * 2}, unit=unit, machine=machine) for value, unit in ((1.0, "s"), (900.0, "ms"))
    ]
    one = compare_runs(mixed, [new], APART).judged[0]
    assert (one.verdict, one.base, one.ratio, one.unit) == (
        Verdict.NOT_COMPARABLE,
        900,
        pytest.approx(1050 / 900),
        "ms",
    )


def test_base_runs_of_another_machine_are_left_out_and_told() -> None:
    rng = np.random.default_rng(8)
    same = [run_of(noisy(rng), f"run {number}") for number in range(4)]
    foreign = run_of(noisy(rng, machine=2.0), "foreign", machine={**MACHINE, "cpu": "Eight Cores"})
    comparison = compare_runs([foreign, *same], [run_of(noisy(rng), "new")], APART)
    assert not comparison.regressed
    assert {one.base_runs for one in comparison.judged} == {4}
    assert "1 of the 5 base runs was made on another machine; omitted" in comparison.differences[0]


def test_each_other_machine_is_named_with_what_differs() -> None:
    other = [
        {**MACHINE, "cpu": "Eight Cores"},
        {**MACHINE, "memory_mib": 1024},
        {**MACHINE, "memory_mib": 1024},
    ]
    base = [run_of({"a": [1.0, 1.1]}, machine=machine) for machine in (*other, MACHINE)]
    notes = compare_runs(base, [run_of({"a": [1.0, 1.1]})], APART).differences
    assert notes == (
        "machine: cpu Eight Cores in the base, Sixteen Cores now: "
        "1 of the 4 base runs was made on another machine; omitted",
        "machine: memory_mib 1024 in the base, 65536 now: "
        "2 of the 4 base runs were made on another machine; omitted",
    )


def test_a_direction_that_changed_between_the_sides_is_reported() -> None:
    base = run_of({"a": [1.0, 1.1, 1.05], "b": [1.0, 1.1, 1.05]}, direction="higher")
    declared = {key_of("b"): replace(base.metrics[key_of("b")], direction="lower")}
    new = run_of({"a": [1.0, 1.1, 1.05], "b": [1.0, 1.1, 1.05]}, direction="lower")
    assert compared(base, new).differences == (
        "better direction: higher in the base, lower now: 2 metrics, such as a latency; "
        "the verdict uses that of now",
    )
    of_one = compared(replace(base, metrics={**base.metrics, **declared}), new)
    assert of_one.differences == (
        "better direction: higher in the base, lower now: a latency; the verdict uses that of now",
    )
    assert compared(new, new).differences == ()


def test_a_variant_that_runs_under_another_name_is_reported_as_renamed() -> None:
    def run(name: str, command: str) -> Run:
        return run_of({name: [1.0, 1.1]}, facts={name: VariantFacts("passed", command=command)})

    assert compared(run("old", "bench --fast"), run("young", "bench --fast")).differences == (
        "renamed: old in the base to young now, which has its command; not compared",
    )
    assert compared(run("old", "bench --fast"), run("young", "bench --slow")).differences == ()
    assert compared(run("same", "bench"), run("same", "bench --fast")).differences == ()


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(RequestError, match="base: no run to compare"):
        compare_runs([], [run_of({"a": [1.0]})], AB)


def test_the_geometric_mean_is_above_one_if_things_got_better() -> None:
    rng = np.random.default_rng(9)
    base = run_of(noisy(rng, noise=0.001))
    new = run_of(
        {name: tuple(value / 1.25 for value in values) for name, values in noisy(rng, noise=0.001).items()}
    )
    assert compared(base, new).geometric_mean == pytest.approx(1.25, rel=0.01)


def test_a_slow_machine_is_told_once_and_taken_out() -> None:
    rng = np.random.default_rng(10)
    base = run_of(noisy(rng, repetitions=10), canary=canary_of(rng))
    slow = noisy(rng, repetitions=10, machine=1.08, slower={"benchmark_4": 1.2})
    comparison = compared(base, run_of(slow, canary=canary_of(rng, 1.08)), APART)
    assert comparison.movement is not None
    assert comparison.movement.low < 1.08 < comparison.movement.high
    assert comparison.movement.share_of_suite > 0.8
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_4")]


@pytest.mark.parametrize("steady", [True, False])
def test_a_slower_suite_without_a_slower_canary_is_not_blamed_on_the_machine(steady: bool) -> None:
    rng = np.random.default_rng(11)
    base = run_of(noisy(rng, repetitions=10), canary=canary_of(rng) if steady else {})
    new = run_of(noisy(rng, repetitions=10, machine=1.3), canary=canary_of(rng) if steady else {})
    comparison = compared(base, new, APART)
    assert comparison.movement is None
    assert len(comparison.regressed) == 10
    wanted = "the canary is not" if steady else "no canary ran on both sides"
    assert wanted in comparison.differences[-1]


def test_where_both_sides_took_turns_nothing_is_said_of_the_machine() -> None:
    rng = np.random.default_rng(11)
    comparison = compared(
        run_of(noisy(rng, repetitions=10)), run_of(noisy(rng, repetitions=10, machine=1.08)), AB
    )
    assert len(comparison.regressed) == 10
    assert comparison.differences == ()


def test_memory_and_accuracy_do_not_follow_a_slow_machine() -> None:
    rng = np.random.default_rng(12)
    base, slow = (
        run_of(noisy(rng, repetitions=10, machine=factor), canary=canary_of(rng, factor))
        for factor in (1.0, 1.1)
    )
    extra = run_of({"memory": [100.0, 101.0, 99.0, 100.0, 100.5]}, unit="MiB", metric="peak_memory")
    both = [replace(run, metrics={**run.metrics, **extra.metrics}) for run in (base, slow)]
    comparison = compared(*both, APART)
    assert comparison.movement is not None
    assert judged(comparison, "memory", "peak_memory").ratio == pytest.approx(1.0)


def test_runs_that_took_turns_are_compared_as_units() -> None:
    rng = np.random.default_rng(13)
    base = [run_of(noisy(rng, repetitions=2), f"base {turn}") for turn in range(8)]
    new = [run_of(noisy(rng, repetitions=2, slower={"benchmark_5": 1.1}), f"new {turn}") for turn in range(8)]
    comparison = compare_runs(base, new, AB)
    assert [one.key for one in comparison.regressed] == [key_of("benchmark_5")]


def test_the_same_figures_give_the_same_answer() -> None:
    rng = np.random.default_rng(14)
    base, new = run_of(noisy(rng)), run_of(noisy(rng))
    assert compared(base, new) == compared(base, new)


@pytest.mark.parametrize(
    ("option", "value"), [("threshold", -0.1), ("confidence", 1.0), ("resamples", 3), ("confirmations", 0)]
)
def test_options_that_make_no_sense_are_refused(option: str, value: float) -> None:
    with pytest.raises(RequestError, match=option):
        CompareOptions(**{option: value})  # type: ignore[arg-type]
