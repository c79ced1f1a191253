"""Runs as the history would give them: seeded noise about known levels, and the comparison of the last one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from statistics import median

from examples_utils.comparison.changes import Change
from examples_utils.comparison.statistics.change_points import ChangePoint
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey

SUITE = "benchmarks.yml"
FIGURES = {
    "throughput": ("samples/sec", "higher"),
    "latency": ("ms", "lower"),
    "latency_p99": ("ms", "lower"),
}
_BEGIN = datetime(2026, 1, 1, 2, 30, tzinfo=timezone.utc)


def variant(benchmark: str, micro_batch_size: int) -> VariantKey:
    return VariantKey(SUITE, benchmark, f"{benchmark}_micro_batch_size_{micro_batch_size}")


def simulated_runs(
    nights: int,
    benchmarks: Sequence[str] = ("resnet50_infer",),
    batch_sizes: Sequence[int] = (1, 8),
    figures: Mapping[str, tuple[str | None, str | None]] = FIGURES,
    slower: Mapping[VariantKey, tuple[int, float]] | None = None,
    noise: float = 0.02,
    repetitions: int = 5,
    seed: int = 1,
) -> list[Run]:
    """Oldest first. `slower` maps a variant to the night from which it takes longer, and the factor."""
    source = random.Random(seed)
    keys = [variant(benchmark, size) for benchmark in benchmarks for size in batch_sizes]
    level = {key: source.uniform(50, 800) for key in keys}
    return [
        _run(night, keys, level, figures, slower or {}, noise, repetitions, source) for night in range(nights)
    ]


def _run(
    night: int,
    keys: Sequence[VariantKey],
    level: Mapping[VariantKey, float],
    figures: Mapping[str, tuple[str | None, str | None]],
    slower: Mapping[VariantKey, tuple[int, float]],
    noise: float,
    repetitions: int,
    source: random.Random,
) -> Run:
    measured = {}
    facts = {}
    for key in keys:
        size = int(key.variant.rsplit("_", 1)[1])
        since, factor = slower.get(key, (0, 1.0))
        speed = level[key] * size**0.4 / (factor if night >= since else 1.0)
        for number, (metric, (unit, direction)) in enumerate(figures.items()):
            value = speed if direction == "higher" else size * 1000 / speed * (1 + 0.2 * number)
            drawn = tuple(value * source.gauss(1, noise) for _ in range(repetitions))
            measured[MetricKey(*key, metric)] = Metric(drawn, unit, direction, "mean")
        facts[key] = VariantFacts(
            "passed",
            settings={"precision_effective": "bfloat16", "threads": "2", "backend": "openvino"},
            params={"micro_batch_size": str(size)},
            command=f"python3 run_benchmark.py --config {key.benchmark} --micro-batch-size {size}",
            log_tail=f"{key.variant} results:\n\n\tthroughput: {speed:.1f} samples/sec (mean)\n",
        )
    return Run(
        run_id=f"run{night:04}",
        started_utc=(_BEGIN + timedelta(days=night)).isoformat(),
        machine={"hostname": "node1", "cpu": "AMD EPYC 9654", "cores": 16, "memory_bytes": 64 * 2**30},
        software={"python": "3.11.7", "packages": {"openvino": "2026.4.1" if night < 20 else "2026.5.0"}},
        commit=f"{night:02x}{random.Random(night).getrandbits(152):038x}",
        dirty=False,
        branch="main",
        variants=facts,
        metrics=measured,
    )


def simulated_comparison(
    runs: Sequence[Run], base_nights: int = 14, threshold: float = 0.03, lasted: int = 1
) -> Comparison:
    """Verdicts by a plain rule, which is not that of the product: a page shows whatever it is given."""
    *earlier, last = runs
    base = earlier[-base_nights:]
    judged = []
    for key, figure in last.metrics.items():
        before = [value for run in base if key in run.metrics for value in run.metrics[key].values]
        if not before:
            judged.append(
                MetricVerdict(
                    key,
                    Verdict.NEW,
                    figure.unit,
                    figure.direction,
                    new=median(figure.values),
                    new_values=len(figure.values),
                )
            )
            continue
        ratio = median(figure.values) / median(before)
        worse = ratio < 1 if figure.direction == "higher" else ratio > 1
        verdict = (
            Verdict.UNCHANGED
            if abs(ratio - 1) < threshold
            else Verdict.REGRESSED
            if worse
            else Verdict.IMPROVED
        )
        judged.append(
            MetricVerdict(
                key,
                verdict,
                figure.unit,
                figure.direction,
                base=median(before),
                new=median(figure.values),
                ratio=ratio,
                low=ratio - 0.011,
                high=ratio + 0.012,
                p=0.4 if verdict is Verdict.UNCHANGED else 1e-6,
                q=0.8 if verdict is Verdict.UNCHANGED else 3e-5,
                threshold=0.02,
                lasted_runs=lasted,
                base_runs=len(base),
                base_values=len(before),
                new_values=len(figure.values),
                reason="the whole interval lies beyond the threshold" if verdict is Verdict.REGRESSED else "",
            )
        )
    return Comparison(
        f"the last {len(base)} nights", f"run {last.run_id}", tuple(judged), geometric_mean=0.998
    )


def simulated_changes(
    runs: Sequence[Run], slower: Mapping[VariantKey, tuple[int, float]]
) -> tuple[Change, ...]:
    """The change points that `slower` put there."""
    found = []
    for key, (night, factor) in slower.items():
        for metric, (_, direction) in FIGURES.items():
            ratio = 1 / factor if direction == "higher" else factor
            point = ChangePoint(night, night - 1, night, ratio, ratio * 0.99, ratio * 1.01, 0.001)
            found.append(Change(MetricKey(*key, metric), point, runs[night - 1], runs[night], factor < 1))
    return tuple(found)
