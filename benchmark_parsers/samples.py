"""Long series of values, kept and summarised in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Printed = TypeVar("Printed")
T = TypeVar("T")

# Maximum samples of a series in a record, so that a night of results stays a few megabytes.
MAX_SAMPLES = 256
_PERCENTILES = (50, 90, 95, 99)


class EvenSample(Generic[T]):
    """Every `step`-th item of a series of any length; `step` is 1 until there are more than `limit` items."""

    def __init__(self, limit: int = 1 << 16) -> None:
        self.kept: list[T] = []
        self.step = 1
        self.seen = 0
        self._limit = limit

    def add(self, items: Sequence[Printed], read: Callable[[Printed], T]) -> None:
        """Adds the next items of the series; `read` is called only for those that are kept."""
        self.kept += map(read, items[-self.seen % self.step :: self.step])
        self.seen += len(items)
        while len(self.kept) > self._limit:
            self.kept, self.step = self.kept[::2], self.step * 2


def few(values: Sequence[float]) -> tuple[float, ...]:
    """Returns at most `MAX_SAMPLES` of the values, evenly spaced, in their order."""
    step = -(-len(values) // MAX_SAMPLES) or 1
    return tuple(values[::step])


def summarise(values: Sequence[float], count: int | None = None) -> dict[str, float]:
    """Returns count, mean, standard deviation (of a sample), extremes and percentiles of at least one value.

    `count` is the length of the whole series where `values` is an even sample of it. Percentiles are interpolated
    linearly between the two nearest ranks; those that need more values (p99 of fewer than 100) are omitted.
    """
    ordered = sorted(values)
    mean = math.fsum(ordered) / len(ordered)
    spread = math.dist(ordered, [mean] * len(ordered))
    return {
        "count": count or len(ordered),
        "mean": mean,
        "std": spread / math.sqrt(len(ordered) - 1) if len(ordered) > 1 else 0.0,
        "min": ordered[0],
        "max": ordered[-1],
        **{f"p{p}": _percentile(ordered, p) for p in _PERCENTILES if len(ordered) * (100 - p) >= 100},
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    rank = (len(ordered) - 1) * percent / 100
    below = int(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
