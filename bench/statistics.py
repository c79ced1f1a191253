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

from examples_utils.comparison.nightly_judge import judge_night, suspects
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.verdicts import Verdict
from examples_utils.figures import Figure, MetricKey, Run, VariantFacts

Floats = NDArray[np.float64]

BENCHMARKS = 50
REPETITIONS = 5
BASELINE = 14
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
    return rng.standard_t(3, shape) / np.sqrt(3)


def bimodal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """A slow mode, which 10 to 50% of the repetitions of a benchmark are in."""
    share = np.random.default_rng(1).permutation(np.linspace(0.1, 0.5, shape[0]))
    share = share.reshape(-1, *(1,) * (len(shape) - 1))
    slow = rng.random(shape) < share
    mixed: Floats = (slow - share) / np.sqrt(share * (1 - share))
    return np.sqrt(0.99) * mixed + 0.1 * rng.standard_normal(shape)


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
CORRELATION = 0.7  # of a drift's levels from night to night
SLOW_SHARE = 0.2  # of the nights of the baseline, where there are slow nights


class Nights:
    """One simulated history: draws nights, and more repetitions of a night, of one machine."""

    def __init__(self, kind: Kind, rng: np.random.Generator, nights: int) -> None:
        self.kind, self.rng = kind, rng
        self.noise = rng.uniform(0.01, 0.05, BENCHMARKS)
        self.noise[0] = 0.02  # that of the benchmark which gets slower
        self.level = np.exp(rng.uniform(0, 8, BENCHMARKS))
        self.slowness = self._drift(kind.own_drift, (BENCHMARKS, nights))
        machine = self._drift(kind.machine_drift, (1, nights))[0]
        if kind.slow_nights:
            slow = np.append(rng.random(nights - 1) < SLOW_SHARE, True)
            machine = machine + np.where(slow, np.log(rng.uniform(1.03, 1.08, nights)), 0.0)
        follows = 1 + kind.uneven * rng.standard_normal((BENCHMARKS, 1))
        self.slowness += follows * machine
        self.machine = machine

    def _drift(self, change: float, shape: tuple[int, int]) -> Floats:
        """Autoregressive levels whose changes from night to night have the standard deviation ``change``."""
        spread = change / np.sqrt(2 * (1 - CORRELATION))
        levels = spread * self.rng.standard_normal(shape)
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

    def run(self, night: int) -> Run:
        figures = self.measure(night, REPETITIONS).tolist()
        return Run(
            run_id=f"night-{night}",
            started_utc=f"night {night}",
            canary=self.canary(night),
            variants=FACTS,
            figures={
                key: Figure(tuple(values), None, "lower" if key.metric == "latency" else "higher")
                for key, values in zip(KEYS, figures, strict=True)
            },
        )

    def confirmed(self, run: Run, night: int, again: tuple[MetricKey, ...]) -> Run:
        """The run with more repetitions of its suspects."""
        if not again:
            return run
        more = dict(zip(KEYS, self.measure(night, OPTIONS.confirmations).tolist(), strict=True))
        figures = dict(run.figures)
        for key in again:
            figures[key] = replace(figures[key], values=(*figures[key].values, *more[key]))
        return replace(run, figures=figures)
