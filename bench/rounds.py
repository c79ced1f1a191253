"""Two ways of doing the same work, timed in turn, so that a machine that drifts touches both alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True)
class Ratio:
    """One line of the table: `value` is the median over the rounds of ours ÷ theirs (or the bound)."""

    what: str
    value: float
    low: float
    high: float
    wanted: str
    details: str


def alternate(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS
) -> list[tuple[float, float]]:
    """Figures of both, measured in turn; who goes first changes from round to round."""
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            other = theirs()
            pairs.append((ours(), other))
        else:
            mine = ours()
            pairs.append((mine, theirs()))
    return pairs


def ratio(what: str, pairs: Sequence[tuple[float, float]], wanted: str, unit: str) -> Ratio:
    """The line for pairs of (ours, theirs), with both medians in `unit`."""
    values = [mine / other for mine, other in pairs]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Ratio(
        what,
        statistics.median(values),
        min(values),
        max(values),
        wanted,
        f"{mine:.1f} vs. {other:.1f} {unit}",
    )
