"""Trials with short histories: the first week of a machine, the nights after a step, and every night in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.statistics.nights import KEYS, Nights
from bench.statistics.noise import KINDS, Kind
from examples_utils.run_model import Run

FIRST_NIGHTS = 14  # of a machine, the first of which has nothing to be compared with
QUIET_NIGHTS = 20  # before the first of two steps
REPORTED_NIGHTS = 3  # on which a change is reported


@dataclass(frozen=True)
class Suite:
    """Benchmarks with Gaussian noise, as a share of the value."""

    benchmarks: int
    noise: float


def slower_from(suite: Suite, earlier: int, share: float, nights: int, seed: int) -> tuple[bool, ...]:
    """On which of so many nights one benchmark is reported, which is slower by `share` after the `earlier` nights."""
    rng = np.random.default_rng([6, seed])
    simulated = Nights(KINDS[0], rng, earlier + nights, suite.benchmarks, suite.noise)
    simulated.slower(0, share, earlier)
    return tuple(bool(called) for called in _called(simulated, earlier, nights, KEYS[0]))


def slower_after(suite: Suite, histories: Sequence[int], share: float, seed: int) -> tuple[bool, ...]:
    """Whether the same night, with a benchmark slower by `share`, is reported after so many of the nights before it."""
    simulated = Nights(
        KINDS[0], np.random.default_rng([9, seed]), max(histories) + 1, suite.benchmarks, suite.noise
    )
    last = max(histories)
    simulated.slower(0, share, last)
    *earlier, night = [simulated.run(number) for number in range(last + 1)]
    called = []
    for nights in histories:
        simulated.rng = np.random.default_rng([10, seed])  # the same confirmation
        called.append(KEYS[0] in simulated.judged(earlier[-nights:], last, night)[1])
    return tuple(called)


def after_a_step(suite: Suite, first: float, nights: int, second: float, seed: int) -> bool:
    """Whether a step of `second` is reported, so many nights after one of `first`, on its first night."""
    rng = np.random.default_rng([7, seed])
    simulated = Nights(KINDS[0], rng, QUIET_NIGHTS + nights + 1, suite.benchmarks, suite.noise)
    simulated.slower(0, first, QUIET_NIGHTS)
    simulated.slower(0, second, QUIET_NIGHTS + nights)
    return [*_called(simulated, QUIET_NIGHTS, nights + 1, KEYS[0])][-1]


def false_first_nights(kind: Kind, benchmarks: int, seed: int) -> tuple[bool, ...]:
    """On which of the first nights, from the second one on, a regression is reported although there is none."""
    simulated = Nights(kind, np.random.default_rng([8, seed]), FIRST_NIGHTS, benchmarks)
    return tuple(_called(simulated, 1, FIRST_NIGHTS - 1))


def _called(
    simulated: Nights, earlier: int, nights: int, key: tuple[str, ...] | None = None
) -> Iterator[bool]:
    """Yields for each of the nights after the `earlier` ones whether `key`, or any metric, is reported."""
    history: list[Run] = [simulated.run(number) for number in range(earlier)]
    for number in range(earlier, earlier + nights):
        night, called, _ = simulated.judged(history, number, simulated.run(number))
        yield bool(called) if key is None else key in called
        history.append(night)
