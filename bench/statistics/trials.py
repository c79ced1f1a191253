"""Single trials on simulated nights: what the verdict, a fixed threshold and Welch's test each report."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from bench.statistics.nights import BASELINE, BENCHMARKS, KEYS, OPTIONS, REPETITIONS, SIGNS, Nights
from bench.statistics.noise import Kind
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.statistics.change_points import change_points
from examples_utils.run_model import Run

HISTORY = 60  # nights in which a change point is searched for
FIXED = 0.05  # the threshold of the usual comparison of means
WELCH = 0.05  # the level of the usual test


@dataclass(frozen=True)
class Outcome:
    """Whether a regression was reported in one trial, by method: ours, a fixed threshold, Welch's test."""

    ours: bool
    fixed: bool
    welch: bool
    coverage: float = np.nan


def unchanged_night(kind: Kind, seed: int) -> Outcome:
    """Whether a night without a change raises a false alarm."""
    nights = Nights(kind, np.random.default_rng([1, seed]), BASELINE + 1)
    history = [nights.run(number) for number in range(BASELINE)]
    night = nights.run(BASELINE)
    fixed, welch = _usual(history, night)
    _, called, coverage = nights.judged(history, BASELINE, night)
    return Outcome(bool(called), bool(fixed.any()), bool(welch.any()), coverage)


def slower_night(kind: Kind, share: float, within: int, seed: int) -> Outcome:
    """Whether the benchmark that gets slower by `share` is reported in one of the next `within` nights."""
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
    """The slower benchmarks `(benchmarks,)`: by more than 5% of the mean, and by Welch's t-test at p < 0.05."""
    base = np.array([[run.metrics[key].values[:REPETITIONS] for run in history] for key in KEYS])
    base = base.reshape(BENCHMARKS, -1)
    new = np.array([night.metrics[key].values for key in KEYS])
    ratio = (new.mean(axis=1) / base.mean(axis=1)) ** SIGNS
    p = stats.ttest_ind(base, new, axis=1, equal_var=False).pvalue
    return ratio > 1 + FIXED, (p < WELCH) & (ratio > 1)


def interleaved(kind: Kind, repetitions: int, share: float, seed: int) -> Outcome:
    """Whether the slower of two interleaved sides is reported or, where neither is slower, any regression."""
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
    """One simulated history: whether its change point was dated to within a night; `others`: false change points."""

    within_one: bool
    in_range: bool
    others: int


def dated(kind: Kind, share: float, seed: int) -> Dated:
    """The change points of one benchmark with 2% of noise, which gets slower by `share` in a random night."""
    rng = np.random.default_rng([3, seed])
    nights = Nights(kind, rng, HISTORY)
    at = int(rng.integers(8, HISTORY - 8))
    noise = 0.02 * kind.repetitions(rng, (BENCHMARKS, HISTORY, REPETITIONS))[seed % BENCHMARKS]
    slowness = nights.slowness[0] - (
        nights.machine if kind.slow_nights else 0
    )  # the canary would correct for it
    slowness = slowness + np.where(np.arange(HISTORY) >= at, np.log1p(share), 0.0)
    points = change_points(np.exp(slowness[:, None] + noise).tolist(), OPTIONS.threshold, OPTIONS.confidence)
    near = [point for point in points if share and abs(point.index - at) <= 1]
    ranged = any(point.last_before < at <= point.first_after for point in near)
    return Dated(bool(near), ranged, len(points) - len(near))
