"""The tables of docs/comparison-statistics.md: shares of many trials, with their confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.histories.table import by_kind, table
from bench.statistics.first_week_tables import after_steps, false_first_weeks, first_week, more_nights
from bench.statistics.nights import BASELINE, BENCHMARKS, CORRELATION, OPTIONS, REPETITIONS, SLOW_SHARE
from bench.statistics.noise import KINDS
from bench.statistics.pairs import EARLIER, Machine, pair_of_runs
from bench.statistics.plan_tables import confirmations, three_nights_of_drift
from bench.statistics.shares import share_of, table_head
from bench.statistics.trials import (
    FIXED,
    HISTORY,
    WELCH,
    Outcome,
    dated,
    interleaved,
    slower_night,
    unchanged_night,
)

METHODS = ("this suite", f"means, {FIXED:.0%} threshold", f"Welch's t-test, p < {WELCH:g}")
KINDS_EXPLAINED = (
    "All sizes are shares of the metric's value. Half of the benchmarks have throughputs (higher is better), half "
    "latencies.",
    "",
    "- Gaussian. Log-normal: with a skewness of 3.7 (never faster than a bound, occasionally much slower). "
    "Heavy-tailed: Student's t with 3 degrees of freedom. Bimodal: 10 to 50% of the repetitions of a benchmark "
    "are in a slow mode.",
    "- Drift: in addition to Gaussian noise, levels move by 2% (standard deviation) from night to night, with a "
    f"correlation of {CORRELATION:g}: each benchmark on its own, or all together, which the canary shows. If each "
    "drifts on its own, a step of 5% in one night is 2.5 standard deviations of the usual change between nights: "
    "no method can report it and also stay silent in 99 of 100 nights without a change. (A z-test that knows the "
    "standard deviation, at the level that 50 benchmarks need, detects 15%.) Change points of such a benchmark "
    "cannot be dated either. That table does not use the canary.",
    f"- Slow machine: every night after the baseline, and {SLOW_SHARE:.0%} of the nights in it, are 3 to 8% slower as "
    "a whole, and the canary shows it. Unevenly: each benchmark is slower by 1 ± 0.15 (standard deviation) times "
    "that.",
    "- The fixed threshold and Welch's test see the first 5 repetitions of the same nights and the same baseline.",
)


HEAD = f"""# False alarms and power of the nightly comparison

Written by `make bench-statistics`, or `python -m bench.statistics --table NAME` for one of them, with the code that \
`nightly` runs and its default options for every kind of noise. Unless stated otherwise, a night has {BENCHMARKS} \
benchmarks × {REPETITIONS} repetitions, each with 1 to 5% of noise, a baseline of {BASELINE} nights, and \
up to {OPTIONS.confirmations} more repetitions of what looks slower. In brackets: the 95% confidence interval of each \
share (Clopper and Pearson). See also [the method](comparison-method.md).
"""


@dataclass(frozen=True)
class Section:
    """A section of the page. `lines` are computed from so many nights and trials of each kind of noise."""

    title: str
    lines: Callable[[ProcessPoolExecutor, int, int], Iterator[str]]


def _false_alarms(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from table_head(
        f"There are {nights} nights of each kind. Target: at most 1% of them raise an alarm. The last column is the "
        "coverage of the 95% intervals.",
        ("noise", *METHODS, "intervals"),
    )
    for kind in KINDS:
        outcomes = list(pool.map(partial(unchanged_night, kind), range(nights), chunksize=20))
        coverage = np.mean([one.coverage for one in outcomes])
        yield f"| {kind.name} | {_three_shares(outcomes)} | {coverage:.1%} |"


def _power(share: float, within: int, pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    explained = f"The benchmark has 2% of noise. There are {trials} trials for each kind."
    yield from table_head(explained, ("noise", *METHODS))
    for kind in KINDS:
        outcomes = list(pool.map(partial(slower_night, kind, share, within), range(trials), chunksize=10))
        yield f"| {kind.name} | {_three_shares(outcomes)} |"


def _three_shares(outcomes: list[Outcome]) -> str:
    methods = ([getattr(one, method) for one in outcomes] for method in ("ours", "fixed", "welch"))
    return " | ".join(share_of(happened) for happened in methods)


def _interleaved(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from table_head(
        f"The significance level is 5% for increases and decreases together. There are {trials} trials of each. "
        "False: a regression is reported although there is none. Detected: one benchmark with 2% of noise that is 5% "
        "slower is reported.",
        ("noise", "repetitions", "false", "detected", "Welch's t-test: false", "detected"),
    )
    for kind in KINDS:
        if kind.own_drift or kind.machine_drift or kind.slow_nights:
            continue
        for repetitions in (5, 10, 20):
            false, called = (
                list(pool.map(partial(interleaved, kind, repetitions, share), range(trials), chunksize=20))
                for share in (0.0, 0.05)
            )
            cells = [
                share_of([getattr(one, way) for one in side])
                for way in ("ours", "welch")
                for side in (false, called)
            ]
            yield f"| {kind.name} | {repetitions} | {' | '.join(cells)} |"


def pairs_of_runs(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    """The section on `compare A B`."""
    yield from table_head(
        f"Each benchmark has 0.1% of noise, and a level of its own that varies from run to run. There are {trials} "
        f"trials of each, with {EARLIER} earlier runs in the history or none. Target: false regressions in at most 1% "
        "of the comparisons. Unchanged: the mean share of the metrics. Detected: one benchmark that is 3% slower is "
        "reported.",
        ("metrics", "noise between runs", "history", "false", "unchanged", "3% detected"),
    )
    for metrics in (1, 5, 20, 50):
        for run in (0.0, 0.01):
            for earlier in (0, EARLIER):
                machine = Machine(0.001, run, metrics, earlier=earlier)
                same, slower = (
                    list(pool.map(partial(pair_of_runs, machine, step), range(trials), chunksize=20))
                    for step in (0.0, 0.03)
                )
                unchanged = np.mean([one.unchanged for one in same])
                yield (
                    f"| {metrics} | {run:.0%} | {earlier or 'none'} | {share_of([one.false for one in same])} "
                    f"| {unchanged:.1%} | {share_of([one.called for one in slower])} |"
                )


def _dates(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from table_head(
        "Target: dated to within one night in at least 90% of the histories. In range: the reported range contains "
        "the true night. False: a change point is reported in a history without a change. There are "
        f"{trials} trials for each kind and size.",
        ("noise", "5% step within one night", "in range", "3% step within one night", "in range", "false"),
    )
    for kind in KINDS:
        if kind.uneven:
            continue
        cells = []
        for share in (0.05, 0.03):
            found = list(pool.map(partial(dated, kind, share), range(trials), chunksize=20))
            cells += [share_of([one.within_one for one in found]), share_of([one.in_range for one in found])]
        without = list(pool.map(partial(dated, kind, 0.0), range(trials), chunksize=20))
        yield f"| {kind.name} | {' | '.join(cells)} | {share_of([bool(one.others) for one in without])} |"


def _histories(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield (
        "Printed by `make bench-histories`, too; with `FILES=series.json` for other series. A series has 40 to 250 "
        "nights with 0.3 to 3% of noise, outliers in half of the series, and up to four steps at least five nights "
        "apart, of 3 to 80% and at least 3 standard deviations of a night's noise (6 where it drifts). A change is "
        "found if it is dated to within 3 nights. Target: precision at least 0.95, recall at least 0.85, F1 at least "
        "0.90."
    )
    yield ""
    yield from table(by_kind(), 3)


def _kinds(pool: ProcessPoolExecutor, nights: int, trials: int) -> Iterator[str]:
    yield from KINDS_EXPLAINED


SECTIONS = {
    "false-alarms": Section("False alarms: share of nights without a change that raise any", _false_alarms),
    "same-night": Section(
        "Power: one benchmark 5% slower, reported the same night", partial(_power, 0.05, 1)
    ),
    "three-nights": Section(
        "Power: one benchmark 3% slower, reported within three nights", partial(_power, 0.03, 3)
    ),
    "confirmations": Section("Confirmation repetitions: their number and the power", confirmations),
    "drift": Section("Three nights of a step among drift", three_nights_of_drift),
    "first-week": Section("The first week: power", first_week),
    "false-first-weeks": Section("The first week: false alarms", false_first_weeks),
    "more-nights": Section("Power with more and more nights", more_nights),
    "after-a-step": Section("A step after a step", after_steps),
    "ab": Section("`ab`: two interleaved sides", _interleaved),
    "compare": Section("`compare A B`: two single runs", pairs_of_runs),
    "dates": Section(f"Change points in {HISTORY} nights, one benchmark with 2% of noise", _dates),
    "series": Section("Change points in generated series", _histories),
    "kinds": Section("The kinds of noise", _kinds),
}
