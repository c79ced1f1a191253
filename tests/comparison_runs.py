"""Runs made of given values, for tests of comparisons."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from examples_utils.comparison import formats
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

COMPARISON_SCHEMA = json.loads(Path(formats.__file__).with_name("comparison.schema.json").read_text("utf-8"))
MACHINE = {"cpu": "Sixteen Cores", "memory_mib": 65536, "hostname": "one"}


def key_of(name: str, metric: str = "latency") -> MetricKey:
    return MetricKey("suite.yml", name, name, metric)


def run_of(
    figures: Mapping[str, Sequence[float]],
    run_id: str = "run",
    *,
    unit: str | None = "ms",
    direction: str | None = "lower",
    metric: str = "latency",
    machine: Mapping[str, Any] = MACHINE,
    canary: Mapping[str, tuple[float, ...]] | None = None,
    facts: Mapping[str, VariantFacts] | None = None,
) -> Run:
    """A run with one metric of each named benchmark."""
    variants = {key_of(name).of_variant: VariantFacts("passed") for name in figures}
    variants |= {VariantKey("suite.yml", name, name): fact for name, fact in (facts or {}).items()}
    return Run(
        run_id=run_id,
        started_utc="2026-11-24T01:00:00+00:00",
        machine=machine,
        canary=canary or {},
        variants=variants,
        metrics={
            key_of(name, metric): Metric(tuple(values), unit, direction) for name, values in figures.items()
        },
    )


def noisy(
    generator: np.random.Generator,
    *,
    benchmarks: int = 10,
    repetitions: int = 5,
    noise: float = 0.02,
    slower: Mapping[str, float] | None = None,
    machine: float = 1.0,
) -> dict[str, tuple[float, ...]]:
    """Latencies of `benchmark_0` and on, around 10, 20, ... ms; `slower` are factors, as is `machine`."""
    return {
        f"benchmark_{number}": tuple(
            (
                10.0
                * (number + 1)
                * machine
                * (slower or {}).get(f"benchmark_{number}", 1.0)
                * np.exp(noise * generator.standard_normal(repetitions))
            ).tolist()
        )
        for number in range(benchmarks)
    }


def canary_of(generator: np.random.Generator, slowness: float = 1.0) -> dict[str, tuple[float, ...]]:
    """Two kernels, each run ten times with 1% of noise."""
    return {
        kernel: tuple((seconds * slowness * np.exp(0.01 * generator.standard_normal(10))).tolist())
        for kernel, seconds in (("compute_s", 0.2), ("memory_s", 0.3))
    }
