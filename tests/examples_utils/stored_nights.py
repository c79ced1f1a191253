"""Nights of a suite of six benchmarks, as a history holds them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

MACHINE = {"hostname": "h", "cpu": "c", "cores": 2, "memory_bytes": 8 << 30, "accelerators": []}
NAMES = tuple(f"model{number}" for number in range(6))


def night(number: int, speeds: dict[str, float] | None = None, **changes) -> Run:
    """The run of one night; `speeds` are shares of the usual speed, by benchmark."""
    noise = random.Random(number)
    variants, figures = {}, {}
    for name in NAMES:
        speed = (speeds or {}).get(name, 1.0)
        key = VariantKey("benchmarks.yml", name, f"{name}_batch_8")
        variants[key] = VariantFacts("passed")
        rates = tuple(100 * speed * noise.gauss(1, 0.005) for _ in range(8))
        figures[MetricKey(*key, "throughput")] = Metric(rates, "samples/sec", "higher", "mean")
        figures[MetricKey(*key, "latency")] = Metric(
            tuple(800 / rate for rate in rates), "ms", "lower", "mean"
        )
    started = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(days=number)
    run = Run(
        run_id=f"{number:08x}{'ab' * 4}",
        started_utc=started.isoformat(),
        machine=MACHINE,
        software={"python": "3.11"},
        commit=f"{number:040x}",
        dirty=False,
        branch="main",
        variants=variants,
        metrics=figures,
    )
    return replace(run, **changes)
