"""Trials of the confirmation repetitions, and of benchmarks that drift or slow down by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from bench.statistics.nights import BASELINE, CORRELATION, KEYS, OPTIONS, REPETITIONS, Nights
from bench.statistics.noise import Kind
from examples_utils.comparison.compare_night import compare_night

FALSE_NIGHTS = 0.01  # the share of nights that may raise a false alarm


@dataclass(frozen=True)
class Confirmed:
    """One night: whether the slower benchmark was reported, any other one, and the confirmation repetitions."""

    called: bool
    false: bool
    repetitions: int


def confirmed(kind: Kind, share: float, in_rounds: bool, seed: int) -> Confirmed:
    """One night in which the first benchmark is slower by `share`; the same for both plans until the first rerun."""
    nights = Nights(kind, np.random.default_rng([9, seed]), BASELINE + 1)
    nights.slower(0, share, BASELINE)
    history = [nights.run(number) for number in range(BASELINE)]
    night, repetitions = nights.confirmed(history, BASELINE, nights.run(BASELINE), in_rounds)
    called = {one.key for one in compare_night(history, night, OPTIONS).regressed}
    slower = {KEYS[0]} if share else set()
    return Confirmed(KEYS[0] in called, bool(called - slower), repetitions)


def three_nights(kind: Kind, benchmarks: int, share: float, seed: int) -> tuple[bool, int]:
    """Whether the first benchmark is reported in one of three nights, and the nights with any other regression."""
    nights = Nights(kind, np.random.default_rng([10, seed]), BASELINE + 3, benchmarks)
    nights.slower(0, share, BASELINE)
    history = [nights.run(number) for number in range(BASELINE)]
    reported, false = False, 0
    for number in range(BASELINE, BASELINE + 3):
        night, called, _ = nights.judged(history, number, nights.run(number))
        reported |= KEYS[0] in called
        false += bool(called - {KEYS[0]})
        history.append(night)
    return reported, false


def best_within_three_nights(kind: Kind, benchmarks: int, share: float) -> float:
    """The largest power that any method can have which raises false alarms in 1% of the nights.

    By the lemma of Neyman and Pearson, for a method that knows how much and how correlated the benchmark drifts, looks
    once at all three nights, and may be wrong on each of them.
    """
    deviation = kind.own_drift / np.sqrt(2 * (1 - CORRELATION))
    runs = np.arange(BASELINE + 3)
    new = (runs >= BASELINE).astype(float)
    repetitions = REPETITIONS + new * OPTIONS.confirmations
    covariance = deviation**2 * CORRELATION ** np.abs(runs[:, None] - runs) + np.diag(0.02**2 / repetitions)
    inverse = np.linalg.inv(covariance)
    information = new @ inverse @ new - (new @ inverse).sum() ** 2 / inverse.sum()
    each = 1 - (1 - FALSE_NIGHTS) ** (1 / benchmarks)
    return float(stats.norm.sf(stats.norm.isf(3 * each) - np.log1p(share) * np.sqrt(information)))
