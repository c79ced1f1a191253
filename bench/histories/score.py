"""Compares the change points that are found with those that are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.histories.series import KnownSeries
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.statistics.change_points import change_points


@dataclass(frozen=True)
class Score:
    """How many changes were found, how many are known, and how many of them match one to one."""

    found: int
    known: int
    matched: int

    @property
    def precision(self) -> float:
        return self.matched / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.matched / self.known if self.known else 1.0

    @property
    def f1(self) -> float:
        return 2 * self.matched / (self.found + self.known) if self.found + self.known else 1.0


def found_in(series: KnownSeries) -> list[int]:
    """Returns the change points that `history changes` reports with its default options."""
    options = CompareOptions()
    nights = [[float(value)] for value in series.values]
    return [point.index for point in change_points(nights, options.threshold, options.confidence)]


def score(found: Sequence[int], known: Sequence[int], tolerance: int) -> Score:
    """Matches in order, each change once, if no more than `tolerance` nights apart."""
    rest, matched = sorted(known), 0
    for place in sorted(found):
        near = next((other for other in rest if abs(other - place) <= tolerance), None)
        if near is not None:
            rest.remove(near)
            matched += 1
    return Score(len(found), len(known), matched)


def total(scores: Iterable[Score]) -> Score:
    """Returns the sum of all."""
    found, known, matched = 0, 0, 0
    for one in scores:
        found, known, matched = found + one.found, known + one.known, matched + one.matched
    return Score(found, known, matched)
