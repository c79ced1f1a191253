"""Two ways of doing the same work, timed alternately, so that drift of the machine affects both equally."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench.targets import Row, Target

ROUNDS = 5


def alternate(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS
) -> list[tuple[float, float]]:
    """Measures both alternately, as pairs of (ours, theirs); the order is reversed in every second round."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            other = theirs()
            pairs.append((ours(), other))
        else:
            mine = ours()
            pairs.append((mine, theirs()))
    return pairs


def ratio(what: str, pairs: Sequence[tuple[float, float]], target: Target, unit: str) -> Row:
    """The row of the ratios ours / theirs: their median and range, with both medians in `unit`."""
    values = [mine / other for mine, other in pairs]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(
        what,
        statistics.median(values),
        min(values),
        max(values),
        target,
        f"{mine:.1f} vs. {other:.1f} {unit}",
    )
