"""When a figure changed for good, over a whole history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples_utils.comparison.options import CompareOptions
from examples_utils.figures import MetricKey, Run


@dataclass(frozen=True)
class ChangePoint:
    """A step in a series of nights.

    ``index`` is the first night of the new level; with 95% certainty the first night of the new level is one of
    ``earliest`` to ``latest``, so that the cause lies between the nights ``earliest`` − 1 and ``latest``. ``ratio`` is
    the level after ÷ before (up to the neighbouring change points) with its 95% interval ``low`` to ``high``; ``p`` is
    that of the permutation test.
    """

    index: int
    earliest: int
    latest: int
    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Change:
    """A change point of one figure. The cause lies after ``last_before`` and up to ``first_after``, inclusively."""

    key: MetricKey
    point: ChangePoint
    last_before: Run
    first_after: Run
    better: bool | None


def change_points(nights: Sequence[Sequence[float]], options: CompareOptions) -> tuple[ChangePoint, ...]:
    """The steps in one series, oldest first; a night is its repetitions in any order, and may be empty."""
    raise NotImplementedError


def changes(runs: Sequence[Run], options: CompareOptions) -> tuple[Change, ...]:
    """The change points of every figure of a history, the latest first; ``runs`` is oldest first, of one machine.

    Nights on which canary and suite moved together are put right first.
    """
    raise NotImplementedError
