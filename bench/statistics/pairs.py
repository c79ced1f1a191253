"""Pairs of single runs, as `compare A B` judges them: false regressions, and the smallest step that is called."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.statistics.nights import OPTIONS
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.verdicts import Verdict
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts

REPETITIONS = 5
RESAMPLES = 500  # of the bootstrap: enough for shares of many trials
EARLIER = 10  # runs in the history, where there is one


@dataclass(frozen=True)
class Machine:
    """Standard deviations, as shares: of one repetition, and of a benchmark's level from run to run.

    `common` is that of the whole machine's level. The history holds `earlier` runs.
    """

    repetition: float
    run: float
    metrics: int
    common: float = 0.0
    earlier: int = 0


@dataclass(frozen=True)
class PairOutcome:
    """Whether any metric without a change regressed, and the first one did; the share of unchanged metrics."""

    false: bool
    called: bool
    unchanged: float


def pair_of_runs(machine: Machine, step: float, seed: int) -> PairOutcome:
    """One comparison of two single runs; the first benchmark is slower by `step` in the new one."""
    rng = np.random.default_rng([5, seed])
    *earlier, base, new = (
        _run(machine, rng, number, step if number == machine.earlier + 1 else 0.0)
        for number in range(machine.earlier + 2)
    )
    verdicts = compare_runs([base], [new], replace(OPTIONS, resamples=RESAMPLES), earlier).judged
    regressed = [one.verdict is Verdict.REGRESSED for one in verdicts]
    unchanged = [one.verdict is Verdict.UNCHANGED for one in verdicts]
    return PairOutcome(any(regressed[1:] if step else regressed), regressed[0], float(np.mean(unchanged)))


def _run(machine: Machine, rng: np.random.Generator, number: int, step: float) -> Run:
    levels = machine.run * rng.standard_normal(machine.metrics) + machine.common * rng.standard_normal()
    levels[0] += np.log1p(step)
    noise = machine.repetition * rng.standard_normal((machine.metrics, REPETITIONS))
    keys = [MetricKey("suite.yml", f"b{one}", f"b{one}", "latency") for one in range(machine.metrics)]
    values = np.exp(levels[:, None] + noise).tolist()
    return Run(
        run_id=f"run-{number}",
        started_utc="2026-01-01T00:00:00+00:00",
        variants={key.of_variant: VariantFacts("passed") for key in keys},
        metrics={key: Metric(tuple(row), "ms", "lower") for key, row in zip(keys, values, strict=True)},
    )
