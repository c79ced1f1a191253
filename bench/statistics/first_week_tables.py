"""The tables of trials with short histories."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from bench.statistics.first_weeks import (
    FIRST_NIGHTS,
    QUIET_NIGHTS,
    REPORTED_NIGHTS,
    Suite,
    after_a_step,
    false_first_nights,
    slower_after,
    slower_from,
)
from bench.statistics.noise import KINDS
from bench.statistics.shares import share_of, table_head

SUITES = tuple(Suite(benchmarks, noise) for benchmarks in (1, 10) for noise in (0.01, 0.03))
HISTORIES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 18, 20)
FIRST_WEEK = {1: 0.2, 2: 0.1, 3: 0.05}  # nights: size of the slowdown that they must show
NIGHTS_LATER = (3, 5, 8, 13)


def after_steps(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    trials = max(1, trials // 5)
    yield from table_head(
        f"A benchmark of ten, with 1% of noise, changes after {QUIET_NIGHTS} quiet nights, and gets slower some nights "
        f"later. The table has the share of {trials} trials in which the second step is reported on its first night. "
        "Target: 90% of 10% and 80% of 5%.",
        ("first step", "second step", *(f"{number} nights later" for number in NIGHTS_LATER)),
    )
    suite = Suite(10, 0.01)
    for first in (0.2, -1 / 6):
        for second in (0.05, 0.1, 0.2):
            cells = [
                np.mean(
                    [
                        *pool.map(
                            partial(after_a_step, suite, first, later, second), range(trials), chunksize=10
                        )
                    ]
                )
                for later in NIGHTS_LATER
            ]
            yield f"| {first:+.0%} | {second:+.0%} | {' | '.join(f'{cell:.0%}' for cell in cells)} |"


def more_nights(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from table_head(
        "One benchmark gets 5% slower. The table has the share of trials in which this is reported the same night, if "
        f"so many of the nights before it are known. There are {trials} trials of each suite. Target: no share is more "
        "than 5 points below that of any shorter history.",
        ("earlier nights", *(f"{suite.benchmarks} × {suite.noise:.0%} of noise" for suite in SUITES)),
    )
    shares = np.array(
        [
            np.mean(
                [*pool.map(partial(slower_after, suite, HISTORIES, 0.05), range(trials), chunksize=5)], axis=0
            )
            for suite in SUITES
        ]
    )
    for earlier, row in zip(HISTORIES, shares.T, strict=True):
        yield f"| {earlier} | {' | '.join(f'{share:.1%}' for share in row)} |"
    loss = float((np.maximum.accumulate(shares, axis=1) - shares).max())
    yield ""
    yield f"The largest loss is {100 * loss:.1f} points."


def first_week(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from table_head(
        f"One benchmark gets slower after the first nights of a machine; all have 1% of noise. There are {trials} "
        "trials. The last column is the share of those reported on the first night that are reported on all "
        f"{REPORTED_NIGHTS}. Target: 90% are reported the same night.",
        (
            "benchmarks",
            "earlier nights",
            "slower by",
            "reported the same night",
            "and on the two nights after",
        ),
    )
    for benchmarks in (1, 10, 50):
        for earlier, size in FIRST_WEEK.items():
            trial = partial(slower_from, Suite(benchmarks, 0.01), earlier, size, REPORTED_NIGHTS)
            outcomes = list(pool.map(trial, range(trials), chunksize=10))
            called = [one for one in outcomes if one[0]]
            lasting = f"{np.mean([all(one) for one in called]):.1%}" if called else "–"
            yield f"| {benchmarks} | {earlier} | {size:.0%} | {share_of([one[0] for one in outcomes])} | {lasting} |"


def false_first_weeks(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    weeks = max(1, nights // 20)
    yield from table_head(
        f"The share of the nights 2 to {FIRST_NIGHTS} of a machine that raise a false alarm, in {weeks} histories of "
        "each kind: 1 to 5% of noise, no change. Target: at most 1%.",
        ("noise", "50 benchmarks", "10 benchmarks", "3 benchmarks"),
    )
    for kind in KINDS:
        cells = []
        for benchmarks in (50, 10, 3):
            histories = pool.map(partial(false_first_nights, kind, benchmarks), range(weeks), chunksize=5)
            cells.append(share_of([night for history in histories for night in history]))
        yield f"| {kind.name} | {' | '.join(cells)} |"
