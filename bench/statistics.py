"""False alarms and power of the nightly verdict on simulated nights: writes docs/comparison-statistics.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from examples_utils.comparison.compare_night import compare_night, suspects
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.change_points import change_points
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts

Floats = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "comparison-statistics.md"
BENCHMARKS = 50
REPETITIONS = 5
BASELINE = 14
HISTORY = 60  # nights in which a change point is looked for
CORRELATION = 0.7  # of a drift's levels from night to night
SLOW_SHARE = 0.2  # of the nights of the baseline, where there are slow nights
FIXED = 0.05  # the threshold of the usual comparison of means
WELCH = 0.05  # the level of the usual test
OPTIONS = CompareOptions()
KEYS = tuple(
    MetricKey(
        "suite.yml", f"benchmark_{number}", f"benchmark_{number}", "latency" if number % 2 else "throughput"
    )
    for number in range(BENCHMARKS)
)
FACTS = {key.of_variant: VariantFacts("passed") for key in KEYS}
SIGNS = np.array([1.0 if number % 2 else -1.0 for number in range(BENCHMARKS)])


@dataclass(frozen=True)
class Kind:
    """A kind of noise. ``repetitions`` draws standardised noise of single repetitions for each benchmark.

    ``own_drift`` and ``machine_drift`` are standard deviations of the change from one night to the next, of each
    benchmark for itself and of all together; on slow nights the machine is 3 to 8% slower, each benchmark by that times
    1 ± ``uneven``.
    """

    name: str
    repetitions: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    own_drift: float = 0.0
    machine_drift: float = 0.0
    slow_nights: bool = False
    uneven: float = 0.0


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


def log_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Never faster than a bound, now and then much slower: skewness 3.7."""
    shape_parameter = 0.8
    mean = np.exp(shape_parameter**2 / 2)
    deviation = mean * np.sqrt(np.expm1(shape_parameter**2))
    standardised: Floats = (rng.lognormal(0.0, shape_parameter, shape) - mean) / deviation
    return standardised


def heavy_tailed(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Student's t with three degrees of freedom."""
    standardised: Floats = rng.standard_t(3, shape) / np.sqrt(3)
    return standardised


def bimodal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """A slow mode, which 10 to 50% of the repetitions of a benchmark are in."""
    share = np.random.default_rng(1).permutation(np.linspace(0.1, 0.5, shape[0]))
    share = share.reshape(-1, *(1,) * (len(shape) - 1))
    slow = rng.random(shape) < share
    mixed = (slow - share) / np.sqrt(share * (1 - share))
    standardised: Floats = np.sqrt(0.99) * mixed + 0.1 * rng.standard_normal(shape)
    return standardised


KINDS = (
    Kind("Gaussian", gaussian),
    Kind("log-normal", log_normal),
    Kind("heavy-tailed", heavy_tailed),
    Kind("bimodal", bimodal),
    Kind("drift, each benchmark its own", gaussian, own_drift=0.02),
    Kind("drift of the whole machine", gaussian, machine_drift=0.02),
    Kind("slow machine", gaussian, slow_nights=True),
    Kind("slow machine, unevenly", gaussian, slow_nights=True, uneven=0.15),
)


class Nights:
    """One simulated history: draws nights, and more repetitions of a night, of one machine."""

    def __init__(self, kind: Kind, rng: np.random.Generator, nights: int) -> None:
        """Where there are slow nights, all after the baseline are, and some of the baseline."""
        self.kind, self.rng = kind, rng
        self.noise = rng.uniform(0.01, 0.05, BENCHMARKS)
        self.noise[0] = 0.02  # that of the benchmark which gets slower
        self.level = np.exp(rng.uniform(0, 8, BENCHMARKS))
        self.slowness = self._drift(kind.own_drift, (BENCHMARKS, nights))
        self.machine = self._drift(kind.machine_drift, (1, nights))[0]
        if kind.slow_nights:
            slow = (np.arange(nights) >= BASELINE) | (rng.random(nights) < SLOW_SHARE)
            self.machine += np.where(slow, np.log(rng.uniform(1.03, 1.08, nights)), 0.0)
        self.slowness += (1 + kind.uneven * rng.standard_normal((BENCHMARKS, 1))) * self.machine

    def _drift(self, change: float, shape: tuple[int, int]) -> Floats:
        """Autoregressive levels whose changes from night to night have the standard deviation ``change``."""
        spread = change / np.sqrt(2 * (1 - CORRELATION))
        levels: Floats = spread * self.rng.standard_normal(shape)
        for night in range(1, shape[1]):
            levels[:, night] = (
                CORRELATION * levels[:, night - 1] + np.sqrt(1 - CORRELATION**2) * levels[:, night]
            )
        return levels

    def slower(self, benchmark: int, share: float, first_night: int) -> None:
        self.slowness[benchmark, first_night:] += np.log1p(share)

    def measure(self, night: int, repetitions: int) -> Floats:
        """Figures ``(benchmarks, repetitions)`` of a night."""
        noise = self.noise[:, None] * self.kind.repetitions(self.rng, (BENCHMARKS, repetitions))
        slowness = self.slowness[:, [night]] + np.where(
            noise > -0.5, np.log1p(np.maximum(noise, -0.5)), noise
        )
        figures: Floats = self.level[:, None] * np.exp(SIGNS[:, None] * slowness)
        return figures

    def canary(self, night: int) -> Mapping[str, tuple[float, ...]]:
        """Two kernels between the variants; each run of them has 1% of noise, and they a level of their own."""
        own = 0.003 * self.rng.standard_normal(2)
        seconds = np.exp(
            self.machine[night] + own[:, None] + 0.01 * self.rng.standard_normal((2, BENCHMARKS + 1))
        )
        return {"compute_s": tuple(seconds[0].tolist()), "memory_s": tuple(seconds[1].tolist())}

    def run(self, night: int, repetitions: int = REPETITIONS) -> Run:
        figures = self.measure(night, repetitions).tolist()
        return Run(
            run_id=f"night-{night}",
            started_utc=f"night {night}",
            canary=self.canary(night),
            variants=FACTS,
            metrics={
                key: Metric(tuple(values), None, "lower" if key.metric == "latency" else "higher")
                for key, values in zip(KEYS, figures, strict=True)
            },
        )

    def repeated(self, run: Run, night: int, again: tuple[MetricKey, ...]) -> Run:
        """The run with more repetitions of its suspects."""
        if not again:
            return run
        more = dict(zip(KEYS, self.measure(night, OPTIONS.confirmations).tolist(), strict=True))
        figures = dict(run.metrics)
        for key in again:
            figures[key] = replace(figures[key], values=(*figures[key].values, *more[key]))
        return replace(run, metrics=figures)

    def judged(self, history: list[Run], number: int, night: Run) -> tuple[Run, frozenset[MetricKey], float]:
        """What `nightly` does: the night with more repetitions, what is called, and how many intervals are right."""
        night = self.repeated(night, number, suspects(history, night, OPTIONS))
        comparison = compare_night(history, night, OPTIONS)
        covered = [one.low <= 1 <= one.high for one in comparison.judged[1:] if one.low and one.high]
        return night, frozenset(one.key for one in comparison.regressed), float(np.mean(covered))


@dataclass(frozen=True)
class Outcome:
    """What happened in one simulated case, by method: ours, a fixed threshold, Welch's test."""

    ours: bool
    fixed: bool
    welch: bool
    coverage: float = np.nan


def unchanged_night(kind: Kind, seed: int) -> Outcome:
    """Whether a night without change raises any alarm."""
    nights = Nights(kind, np.random.default_rng([1, seed]), BASELINE + 1)
    history = [nights.run(number) for number in range(BASELINE)]
    night = nights.run(BASELINE)
    fixed, welch = _usual(history, night)
    _, called, coverage = nights.judged(history, BASELINE, night)
    return Outcome(bool(called), bool(fixed.any()), bool(welch.any()), coverage)


def slower_night(kind: Kind, share: float, within: int, seed: int) -> Outcome:
    """Whether the benchmark that gets slower by ``share`` is called in one of the next ``within`` nights."""
    nights = Nights(kind, np.random.default_rng([2, seed]), BASELINE + within)
    nights.slower(0, share, BASELINE)
    history = [nights.run(number) for number in range(BASELINE)]
    ours = fixed = welch = False
    for number in range(BASELINE, BASELINE + within):
        night = nights.run(number)
        by_threshold, by_test = _usual(history[:BASELINE], night)
        fixed, welch = fixed or bool(by_threshold[0]), welch or bool(by_test[0])
        night, called, _ = nights.judged(history, number, night)
        ours = ours or KEYS[0] in called
        history.append(night)
    return Outcome(ours, fixed, welch)


def _usual(history: list[Run], night: Run) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is slower ``(benchmarks,)`` by more than 5% of the mean, and by Welch's t-test at p < 0.05."""
    base = np.array([[run.metrics[key].values[:REPETITIONS] for run in history] for key in KEYS])
    base = base.reshape(BENCHMARKS, -1)
    new = np.array([night.metrics[key].values for key in KEYS])
    ratio = (new.mean(axis=1) / base.mean(axis=1)) ** SIGNS
    p = stats.ttest_ind(base, new, axis=1, equal_var=False).pvalue
    return ratio > 1 + FIXED, (p < WELCH) & (ratio > 1)


def turns(kind: Kind, repetitions: int, share: float, seed: int) -> Outcome:
    """Two sides that took turns: whether the slower benchmark is called, or any where none is slower."""
    nights = Nights(kind, np.random.default_rng([4, seed]), 2)
    nights.slower(0, share, 1)
    base, new = (nights.run(night, repetitions) for night in (0, 1))
    comparison = compare_runs([base], [new], replace(OPTIONS, interleaved=True))
    called = {one.key for one in comparison.regressed}
    values = np.array([[run.metrics[key].values for key in KEYS] for run in (base, new)])
    ratio = (values[1].mean(axis=1) / values[0].mean(axis=1)) ** SIGNS
    welch = (stats.ttest_ind(values[0], values[1], axis=1, equal_var=False).pvalue < WELCH) & (ratio > 1)
    counted = slice(0, 1) if share else slice(None)
    return Outcome(
        KEYS[0] in called if share else bool(called),
        bool((ratio > 1 + FIXED)[counted].any()),
        bool(welch[counted].any()),
    )


@dataclass(frozen=True)
class Dated:
    """One simulated history: whether its change point was dated within a night, and how many others were told."""

    within_one: bool
    in_range: bool
    others: int


def dated(kind: Kind, share: float, seed: int) -> Dated:
    """The change points of one benchmark at 2% of noise, which gets slower by ``share`` in some night."""
    rng = np.random.default_rng([3, seed])
    nights = Nights(kind, rng, HISTORY)
    at = int(rng.integers(8, HISTORY - 8))
    noise = 0.02 * kind.repetitions(rng, (BENCHMARKS, HISTORY, REPETITIONS))[seed % BENCHMARKS]
    slowness = nights.slowness[0] - (
        nights.machine if kind.slow_nights else 0
    )  # which the canary would take out
    slowness = slowness + np.where(np.arange(HISTORY) >= at, np.log1p(share), 0.0)
    points = change_points(np.exp(slowness[:, None] + noise).tolist(), OPTIONS.threshold, OPTIONS.confidence)
    near = [point for point in points if share and abs(point.index - at) <= 1]
    ranged = any(point.last_before < at <= point.first_after for point in near)
    return Dated(bool(near), ranged, len(points) - len(near))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.statistics", description=__doc__)
    parser.add_argument(
        "--nights", type=int, default=2000, help="nights without a change, for each kind of noise"
    )
    parser.add_argument(
        "--trials", type=int, default=500, help="trials of each step size, for each kind of noise"
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=PAGE)
    arguments = parser.parse_args()
    lines = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for line in page(pool, arguments.nights, arguments.trials):
            print(line, flush=True)
            lines.append(line)
    arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {arguments.output}", file=sys.stderr)
    return 0


def page(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield "# False alarms and power of the nightly comparison"
    yield ""
    yield (
        "Written by `make bench-statistics`, with the code that `nightly` runs and its default options for every kind "
        f"of noise. A night has {BENCHMARKS} benchmarks × {REPETITIONS} repetitions, each with 1 to 5% of noise, a "
        f"baseline of {BASELINE} nights, and {OPTIONS.confirmations} more repetitions of what looks slower. In "
        "brackets: the 95% confidence interval of each share (Clopper and Pearson). See also "
        "[the method](comparison-method.md)."
    )
    yield from _false_alarms(pool, nights)
    yield from _power(pool, trials, 0.05, 1, "## Power: one benchmark 5% slower, reported the same night")
    yield from _power(
        pool, trials, 0.03, 3, "## Power: one benchmark 3% slower, reported within three nights"
    )
    yield from _turns(pool, trials)
    yield from _dates(pool, trials)
    yield from KINDS_EXPLAINED


def _false_alarms(pool: ProcessPoolExecutor, nights: int) -> Iterator[str]:
    yield ""
    yield f"## False alarms: share of nights without a change that raise any, of {nights} nights for each kind"
    yield ""
    yield "Target: at most 1% of the nights. The last column is the coverage of the 95% intervals."
    yield ""
    yield f"| noise | this suite | means, {FIXED:.0%} threshold | Welch's t-test, p < {WELCH:g} | intervals |"
    yield "| --- | --- | --- | --- | --- |"
    for kind in KINDS:
        outcomes = list(pool.map(partial(unchanged_night, kind), range(nights), chunksize=20))
        coverage = np.mean([one.coverage for one in outcomes])
        yield f"| {kind.name} | {_three_shares(outcomes)} | {coverage:.1%} |"


def _power(pool: ProcessPoolExecutor, trials: int, share: float, within: int, title: str) -> Iterator[str]:
    yield ""
    yield title
    yield ""
    yield f"The benchmark has 2% of noise. There are {trials} trials for each kind."
    yield ""
    yield f"| noise | this suite | means, {FIXED:.0%} threshold | Welch's t-test, p < {WELCH:g} |"
    yield "| --- | --- | --- | --- |"
    for kind in KINDS:
        outcomes = list(pool.map(partial(slower_night, kind, share, within), range(trials), chunksize=10))
        yield f"| {kind.name} | {_three_shares(outcomes)} |"


def _three_shares(outcomes: list[Outcome]) -> str:
    methods = ([getattr(one, method) for one in outcomes] for method in ("ours", "fixed", "welch"))
    return " | ".join(_share(happened) for happened in methods)


def _turns(pool: ProcessPoolExecutor, trials: int) -> Iterator[str]:
    yield ""
    yield "## `ab`: two interleaved sides"
    yield ""
    yield (
        f"The significance level is 5% for increases and decreases together. There are {trials} trials of each. "
        "False: a regression is reported although there is none. Detected: one benchmark with 2% of noise that is 5% "
        "slower is reported."
    )
    yield ""
    yield "| noise | repetitions | false | detected | Welch's t-test: false | detected |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for kind in KINDS:
        if kind.own_drift or kind.machine_drift or kind.slow_nights:
            continue
        for repetitions in (5, 10, 20):
            false, called = (
                list(pool.map(partial(turns, kind, repetitions, share), range(trials), chunksize=20))
                for share in (0.0, 0.05)
            )
            cells = [
                _share([getattr(one, way) for one in side])
                for way in ("ours", "welch")
                for side in (false, called)
            ]
            yield f"| {kind.name} | {repetitions} | {' | '.join(cells)} |"


def _dates(pool: ProcessPoolExecutor, trials: int) -> Iterator[str]:
    yield ""
    yield f"## Change points in {HISTORY} nights, one benchmark with 2% of noise"
    yield ""
    yield (
        "Target: dated to within one night in at least 90% of the histories. In range: the reported range contains "
        "the true night. False: a change point is reported in a history without a change. There are "
        f"{trials} trials for each kind and size."
    )
    yield ""
    yield "| noise | 5% step within one night | in range | 3% step within one night | in range | false |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for kind in KINDS:
        if kind.uneven:
            continue
        cells = []
        for share in (0.05, 0.03):
            found = list(pool.map(partial(dated, kind, share), range(trials), chunksize=20))
            cells += [_share([one.within_one for one in found]), _share([one.in_range for one in found])]
        without = list(pool.map(partial(dated, kind, 0.0), range(trials), chunksize=20))
        yield f"| {kind.name} | {' | '.join(cells)} | {_share([bool(one.others) for one in without])} |"


def _share(happened: list[bool]) -> str:
    interval = stats.binomtest(sum(happened), len(happened)).proportion_ci()
    return f"{np.mean(happened):.1%} ({interval.low:.1%} to {interval.high:.1%})"


KINDS_EXPLAINED = (
    "",
    "## The kinds of noise",
    "",
    "All sizes are shares of the metric's value. Half of the benchmarks have throughputs (higher is better), half "
    "latencies.",
    "",
    "- Gaussian. Log-normal: with a skewness of 3.7 (never faster than a bound, occasionally much slower). "
    "Heavy-tailed: Student's t with 3 degrees of freedom. Bimodal: 10 to 50% of the repetitions of a benchmark "
    "are in a slow mode.",
    "- Drift: in addition to Gaussian noise, levels move by 2% (standard deviation) from night to night, with a "
    f"correlation of {CORRELATION:g}: each benchmark on its own, or all together, which the canary shows. If each "
    "drifts on its own, a step of 5% in one night is 2.5 standard deviations of the usual change between nights: "
    "no method can report it and also stay silent in 99 of 100 nights without a change. (A z-test that knows the "
    "standard deviation, at the level that 50 benchmarks need, detects 15%.) Change points of such a benchmark "
    "cannot be dated either. That table does not use the canary.",
    f"- Slow machine: every night after the baseline, and {SLOW_SHARE:.0%} of the nights in it, are 3 to 8% slower as "
    "a whole, and the canary shows it. Unevenly: each benchmark is slower by 1 ± 0.15 (standard deviation) times "
    "that.",
    "- The fixed threshold and Welch's test see the first 5 repetitions of the same nights and the same baseline.",
)


if __name__ == "__main__":
    sys.exit(main())
