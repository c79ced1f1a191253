"""Throughput over latency across batch sizes, and their Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from examples_utils.run_model import MetricKey, Run, VariantFacts, VariantKey

_BATCH_SIZE = ("micro_batch_size", "batch_size")
_THROUGHPUT, _LATENCY = "throughput", "latency"


@dataclass(frozen=True)
class BatchSize:
    """The medians of one variant."""

    variant: VariantKey
    batch_size: int
    throughput: float
    latency: float


@dataclass(frozen=True)
class TradeOff:
    """Variants of one benchmark that differ only in their batch size, in ascending order.

    `others` are the parameters that they share, as pairs of name and value.
    """

    suite: str
    benchmark: str
    others: tuple[tuple[str, str], ...]
    throughput_unit: str | None
    latency_unit: str | None
    points: tuple[BatchSize, ...] = ()


def trade_offs(run: Run) -> tuple[TradeOff, ...]:
    """Returns those of a run. Variants without both metrics are omitted; a single batch size is no trade-off."""
    groups: dict[TradeOff, list[BatchSize]] = {}
    for key, facts in run.variants.items():
        batch_size = _batch_size(facts)
        throughput = run.metrics.get(MetricKey(*key, _THROUGHPUT))
        latency = run.metrics.get(MetricKey(*key, _LATENCY))
        if batch_size is None or not (throughput and throughput.values and latency and latency.values):
            continue
        others = tuple(sorted(pair for pair in facts.params.items() if pair[0] not in _BATCH_SIZE))
        group = TradeOff(key.suite, key.benchmark, others, throughput.unit, latency.unit)
        point = BatchSize(key, batch_size, median(throughput.values), median(latency.values))
        groups.setdefault(group, []).append(point)
    return tuple(
        replace(group, points=tuple(sorted(points, key=lambda point: (point.batch_size, point.variant))))
        for group, points in groups.items()
        if len({point.batch_size for point in points}) > 1
    )


def front(points: Sequence[BatchSize]) -> frozenset[VariantKey]:
    """Returns the points that no other one dominates: the Pareto front of high throughput and low latency."""
    return frozenset(
        point.variant for point in points if not any(_dominates(other, point) for other in points)
    )


def _dominates(one: BatchSize, other: BatchSize) -> bool:
    better = (one.throughput > other.throughput, one.latency < other.latency)
    return any(better) and one.throughput >= other.throughput and one.latency <= other.latency


def _batch_size(facts: VariantFacts) -> int | None:
    for name in _BATCH_SIZE:
        text = facts.params.get(name) or facts.settings.get(name) or ""
        if text.isascii() and text.isdecimal():
            return int(text)
    return None
