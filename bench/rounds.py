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
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    values = [mine / other for mine, other in pairs]
    return spread(what, values, target, f"{mine:.1f} vs. {other:.1f} {unit}")


def spread(what: str, values: Sequence[float], target: Target, details: str) -> Row:
    """The row of the values of several rounds: their median and range."""
    return Row(what, statistics.median(values), min(values), max(values), target, details)


def growth(what: str, mib: Sequence[float], target: Target) -> Row:
    """The row of memory over time, sampled evenly: the last tenth / the second."""
    tenth = max(len(mib) // 10, 1)
    second, last = statistics.median(mib[tenth : 2 * tenth]), statistics.median(mib[-tenth:])
    details = f"{last:.1f} vs. {second:.1f} MiB"
    return spread(f"resident memory {what}, last tenth / second tenth", [last / second], target, details)
