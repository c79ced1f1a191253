"""The tables of the confirmation repetitions, and of benchmarks that drift or slow down by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from bench.statistics.nights import OPTIONS
from bench.statistics.noise import KINDS
from bench.statistics.plans import best_within_three_nights, confirmed, three_nights
from bench.statistics.shares import share_of, table_head


def confirmations(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    """The confirmation repetitions of a night: all that are allowed for each suspect, or in rounds."""
    yield from table_head(
        f"One benchmark with 2% of noise gets slower. Repetitions: their mean number in a night, for all suspects "
        f"together. Fixed: {OPTIONS.confirmations} for each. In rounds: until the verdict is settled. There are "
        f"{trials} trials of each. Target: half as many for the same power, and false alarms in at most 1% of the "
        "nights.",
        ("noise", "slower by", "plan", "reported", "false nights", "repetitions"),
    )
    for kind in KINDS[:4]:
        for share in (0.0, 0.03, 0.05):
            for in_rounds in (False, True):
                found = list(
                    pool.map(partial(confirmed, kind, share, in_rounds), range(trials), chunksize=10)
                )
                reported = share_of([one.called for one in found]) if share else "–"
                yield (
                    f"| {kind.name} | {share:.0%} | {'in rounds' if in_rounds else 'fixed'} | {reported} "
                    f"| {share_of([one.false for one in found])} | {np.mean([one.repetitions for one in found]):.1f} |"
                )


def three_nights_of_drift(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    """A step that lasts three nights, where each benchmark drifts on its own, or follows the machine unevenly."""
    yield from table_head(
        "One benchmark with 2% of noise gets 5% slower and stays so. Best possible: what the most powerful test "
        "reports that knows the drift, and is wrong in 1% of the nights (Neyman and Pearson). No method can report "
        f"more. There are {trials} trials of each.",
        ("noise", "benchmarks", "reported within three nights", "false nights", "best possible"),
    )
    for kind in (KINDS[4], KINDS[7]):
        for benchmarks in (1, 10, 50) if kind.own_drift else (10, 50):
            found = list(pool.map(partial(three_nights, kind, benchmarks, 0.05), range(trials), chunksize=10))
            false = np.mean([one[1] for one in found]) / 3
            best = f"{best_within_three_nights(kind, benchmarks, 0.05):.0%}" if kind.own_drift else "–"
            yield (
                f"| {kind.name} | {benchmarks} | {share_of([one[0] for one in found])} | {false:.2%} | {best} |"
            )
