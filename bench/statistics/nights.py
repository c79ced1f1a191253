"""Simulated nights of one machine: drift, noise, slow nights, and the canary that measures them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bench.statistics.noise import Floats, Kind
from examples_utils.comparison.compare_night import compare_night, suspects, unsettled
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.confirmation.curtailment import ROUND
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts

BENCHMARKS = 50
REPETITIONS = 5
BASELINE = 14
CORRELATION = 0.7  # of a drift's levels from night to night
SLOW_SHARE = 0.2  # of the nights of the baseline, where there are slow nights
OPTIONS = CompareOptions()
KEYS = tuple(
    MetricKey(
        "suite.yml", f"benchmark_{number}", f"benchmark_{number}", "latency" if number % 2 else "throughput"
    )
    for number in range(BENCHMARKS)
)
FACTS = {key.of_variant: VariantFacts("passed") for key in KEYS}
SIGNS = np.array([1.0 if number % 2 else -1.0 for number in range(BENCHMARKS)])


class Nights:
    """The simulated history of one machine: draws nights, and confirmation repetitions of a night."""

    def __init__(
        self,
        kind: Kind,
        rng: np.random.Generator,
        nights: int,
        benchmarks: int = BENCHMARKS,
        noise: float | None = None,
    ) -> None:
        """With `kind.slow_nights`, all nights after the baseline are slow, and some in it.

        `noise` is that of all benchmarks; None draws 1 to 5% for each, and 2% for the one that gets slower.
        """
        self.kind, self.rng, self.benchmarks = kind, rng, benchmarks
        self.keys, self.signs = KEYS[:benchmarks], SIGNS[:benchmarks, None]
        self.noise = rng.uniform(0.01, 0.05, benchmarks)
        self.noise[0] = 0.02
        if noise is not None:
            self.noise[:] = noise
        self.level = np.exp(rng.uniform(0, 8, benchmarks))
        self.slowness = self._drift(kind.own_drift, (benchmarks, nights))
        self.machine = self._drift(kind.machine_drift, (1, nights))[0]
        if kind.slow_nights:
            slow = (np.arange(nights) >= BASELINE) | (rng.random(nights) < SLOW_SHARE)
            self.machine += np.where(slow, np.log(rng.uniform(1.03, 1.08, nights)), 0.0)
        self.slowness += (1 + kind.uneven * rng.standard_normal((benchmarks, 1))) * self.machine

    def _drift(self, change: float, shape: tuple[int, int]) -> Floats:
        """Autoregressive levels whose changes from night to night have the standard deviation `change`."""
        spread = change / np.sqrt(2 * (1 - CORRELATION))
        levels: Floats = spread * self.rng.standard_normal(shape)
        for night in range(1, shape[1]):
            levels[:, night] = (
                CORRELATION * levels[:, night - 1] + np.sqrt(1 - CORRELATION**2) * levels[:, night]
            )
        return levels

    def slower(self, benchmark: int, share: float, first_night: int) -> None:
        """Makes a benchmark slower by `share` from `first_night` on."""
        self.slowness[benchmark, first_night:] += np.log1p(share)

    def measure(self, night: int, repetitions: int) -> Floats:
        """Values `(benchmarks, repetitions)` of a night."""
        noise = self.noise[:, None] * self.kind.repetitions(self.rng, (self.benchmarks, repetitions))
        slowness = self.slowness[:, [night]] + np.where(
            noise > -0.5, np.log1p(np.maximum(noise, -0.5)), noise
        )
        values: Floats = self.level[:, None] * np.exp(self.signs * slowness)
        return values

    def canary(self, night: int) -> Mapping[str, tuple[float, ...]]:
        """Seconds of the two canary kernels between the variants; each has its own level and 1% of noise."""
        own = 0.003 * self.rng.standard_normal(2)
        seconds = np.exp(
            self.machine[night] + own[:, None] + 0.01 * self.rng.standard_normal((2, self.benchmarks + 1))
        )
        return {"compute_s": tuple(seconds[0].tolist()), "memory_s": tuple(seconds[1].tolist())}

    def run(self, night: int, repetitions: int = REPETITIONS) -> Run:
        """The night as the runner records it."""
        measured = self.measure(night, repetitions).tolist()
        return Run(
            run_id=f"night-{night}",
            started_utc=f"night {night}",
            canary=self.canary(night),
            variants={key.of_variant: FACTS[key.of_variant] for key in self.keys},
            metrics={
                key: Metric(tuple(values), None, "lower" if key.metric == "latency" else "higher")
                for key, values in zip(self.keys, measured, strict=True)
            },
        )

    def confirmed(
        self, history: list[Run], number: int, night: Run, in_rounds: bool = True
    ) -> tuple[Run, int]:
        """The night with the confirmation repetitions that `nightly` would run, and their number.

        Without rounds, each suspect gets all of `OPTIONS.confirmations`.
        """
        limit = OPTIONS.confirmations
        size = ROUND if in_rounds else limit
        again, total = suspects(history, night, OPTIONS), 0
        for done in range(0, limit, size):
            if not again:
                break
            more = min(size, limit - done)
            values = dict(zip(self.keys, self.measure(number, more).tolist(), strict=True))
            metrics = dict(night.metrics)
            for key in again:
                metrics[key] = replace(metrics[key], values=(*metrics[key].values, *values[key]))
            night, total = replace(night, metrics=metrics), total + more * len(again)
            again = unsettled(history, night, OPTIONS, again, limit - done - more)
        return night, total

    def judged(self, history: list[Run], number: int, night: Run) -> tuple[Run, frozenset[MetricKey], float]:
        """As `nightly` does: the night with confirmations, the reported regressions, and the intervals' coverage."""
        night, _ = self.confirmed(history, number, night)
        comparison = compare_night(history, night, OPTIONS)
        covered = [one.low <= 1 <= one.high for one in comparison.judged[1:] if one.low and one.high]
        coverage = float(np.mean(covered)) if covered else np.nan
        return night, frozenset(one.key for one in comparison.regressed), coverage
