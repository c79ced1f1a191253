"""Long series of figures, held in bounded memory and told in bounded space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Printed = TypeVar("Printed")
T = TypeVar("T")

# A record keeps so many figures of a series, so that a night of results stays a few megabytes.
MOST_SAMPLES = 256
_PERCENTILES = (50, 90, 95, 99)


class EvenSample(Generic[T]):
    """Every ``step``-th of a series of any length; ``step`` is 1 until there are more than ``limit``."""

    def __init__(self, limit: int = 1 << 16) -> None:
        self.kept: list[T] = []
        self.step = 1
        self.seen = 0
        self._limit = limit

    def add(self, items: Sequence[Printed], read: Callable[[Printed], T]) -> None:
        """Takes the next of the series, of which only those that are kept are ``read``."""
        self.kept += map(read, items[-self.seen % self.step :: self.step])
        self.seen += len(items)
        while len(self.kept) > self._limit:
            self.kept, self.step = self.kept[::2], self.step * 2


def few(figures: Sequence[float]) -> tuple[float, ...]:
    """At most ``MOST_SAMPLES`` of the figures, evenly spaced, in their order."""
    step = -(-len(figures) // MOST_SAMPLES) or 1
    return tuple(figures[::step])


def summarise(figures: Sequence[float], count: int | None = None) -> dict[str, float]:
    """Count, mean, standard deviation (of a sample), extremes and percentiles of at least one figure.

    ``count`` is that of the whole series where ``figures`` are an even sample of it. Percentiles are interpolated
    linearly between the two nearest ranks; those that so few figures cannot tell (p99 of less than 100) are left out.
    """
    ordered = sorted(figures)
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
