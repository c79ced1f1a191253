"""The history of each metric: a median and an interval for each night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import comb

import numpy as np
from numpy.typing import NDArray

from examples_utils.run_model import Metric, MetricKey, Run

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Series:
    """The values of one metric in each night.

    `nights` (n,) are indices into the runs, ascending; `median`, `low` and `high` (n,) are in the
    metric's newest unit.
    `last` contains the repetitions of the last of all runs, and is empty if that run has no value. `other_unit` counts
    the nights that are omitted because their unit was another one.
    """

    nights: NDArray[np.int64]
    median: Floats
    low: Floats
    high: Floats
    last: tuple[float, ...]
    other_unit: int = 0

    def newest(self, nights: int) -> Series:
        """Returns its last nights."""
        cut = slice(-nights if nights else len(self.nights), None)
        arrays = (self.nights[cut], self.median[cut], self.low[cut], self.high[cut])
        return Series(*arrays, self.last, self.other_unit)


def collect_series(runs: Sequence[Run], keys: Sequence[MetricKey]) -> dict[MetricKey, Series]:
    """Returns the histories of the metrics that have one in these runs, which are given oldest first."""
    newest = _newest_metrics(runs, set(keys))
    number = {key: position for position, key in enumerate(newest)}
    other_unit = dict.fromkeys(newest, 0)
    by_count: dict[int, tuple[list[int], list[int], list[tuple[float, ...]]]] = {}
    for night, run in enumerate(runs):
        for key, metric in run.metrics.items():
            position = number.get(key)
            if position is None or not metric.values:
                continue
            if metric.unit != newest[key].unit:
                other_unit[key] += 1
                continue
            positions, nights, values = by_count.setdefault(len(metric.values), ([], [], []))
            positions.append(position)
            nights.append(night)
            values.append(metric.values)
    table = _table(by_count)
    starts = np.searchsorted(table[0], np.arange(len(newest) + 1))
    found = {}
    for key in newest:
        rows = slice(*starts[number[key] : number[key] + 2])
        last = runs[-1].metrics.get(key)
        found[key] = Series(
            table[1][rows].astype(np.int64),
            table[2][rows],
            table[3][rows],
            table[4][rows],
            last.values if last else (),
            other_unit[key],
        )
    return found


def median_interval(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns median, and low and high end of its interval, of each row of (nights, repetitions).

    The ends are order statistics whose binomial coverage of the median is at least `CONFIDENCE`, whatever the
    distribution (Conover, Practical Nonparametric Statistics, 3.2). With fewer than six repetitions no pair of them
    reaches that, and the ends are the minimum and the maximum (five: 93.75%).
    """
    ordered = np.sort(values, axis=1)
    count = values.shape[1]
    rank = _rank(count)
    return np.median(ordered, axis=1), ordered[:, rank], ordered[:, count - 1 - rank]


def _rank(count: int) -> int:
    """Returns the largest rank, from 0, that leaves no more than allowed outside on either side; 0 if none does."""
    outside = 0.0
    for rank in range(count):
        outside += comb(count, rank) / 2**count
        if outside > (1 - CONFIDENCE) / 2:
            return max(rank - 1, 0)
    return 0


def _newest_metrics(runs: Sequence[Run], keys: set[MetricKey]) -> Mapping[MetricKey, Metric]:
    newest: dict[MetricKey, Metric] = {}
    for run in reversed(runs):
        for key in run.metrics.keys() & (keys - newest.keys()):
            if run.metrics[key].values:
                newest[key] = run.metrics[key]
        if len(newest) == len(keys):
            break
    return newest


def _table(by_count: Mapping[int, tuple[list[int], list[int], list[tuple[float, ...]]]]) -> list[Floats]:
    """Returns columns of position, night, median, low and high, in the order of the first two."""
    parts = []
    for count, (positions, nights, values) in by_count.items():
        flat = np.fromiter(chain.from_iterable(values), np.float64, len(values) * count)
        parts.append([positions, nights, *median_interval(flat.reshape(-1, count))])
    if not parts:
        return [np.empty(0)] * 5
    columns = [np.concatenate([np.asarray(part[i], np.float64) for part in parts]) for i in range(5)]
    order = np.lexsort((columns[1], columns[0]))
    return [column[order] for column in columns]
