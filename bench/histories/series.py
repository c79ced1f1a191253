"""Series of nights with known changes: from a file, or generated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.statistics.noise import KINDS, Floats, Kind

_NIGHTS = (40, 80, 120, 250)
_SHORTEST = 5  # nights between two changes
_QUIETEST, _NOISIEST = 0.003, 0.03
_SMALLEST, _LARGEST = 0.03, 0.6  # of a change, as the logarithm of a ratio
_VISIBLE = 3.0  # a change is at least so many standard deviations of a night's noise
_DRIFTING = 2  # times as many where levels drift


@dataclass(frozen=True)
class KnownSeries:
    """The values of one benchmark, and the first nights of its new levels."""

    name: str
    values: Sequence[float]
    changes: tuple[int, ...]


def read(path: Path) -> list[KnownSeries]:
    """Returns the series of a JSON file: an array of objects with `values`, `changes` and, optionally, `name`.

    Raises:
        ValueError: The file cannot be read, or is no such array.
    """
    try:
        return [_known(item, number) for number, item in enumerate(json.loads(path.read_bytes()))]
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: {error!r}; give an array of objects with values, all above 0, and changes, places in values"
        ) from error


def _known(item: dict[str, object], number: int) -> KnownSeries:
    values, changes = item["values"], item["changes"]
    if not isinstance(values, list) or not isinstance(changes, list):
        raise TypeError(f"item {number}: values and changes must be arrays")
    if not all(isinstance(value, int | float) and 0 < value < np.inf for value in values):
        raise ValueError(f"item {number}: a value is not a number above 0")
    if not all(isinstance(place, int) and 0 < place < len(values) for place in changes):
        raise ValueError(f"item {number}: a change is not a place in values")
    return KnownSeries(str(item.get("name", number)), values, tuple(changes))


def generated(for_each_kind: int, steps: bool = True) -> list[KnownSeries]:
    """Returns the same series in every call: each kind of noise, with outliers in half of them."""
    return [
        _generated(kind, np.random.default_rng([5, index, seed, steps]), steps)
        for index, kind in enumerate(KINDS)
        for seed in range(for_each_kind)
    ]


def _generated(kind: Kind, rng: np.random.Generator, steps: bool) -> KnownSeries:
    nights = int(rng.choice(_NIGHTS))
    noise = float(np.exp(rng.uniform(np.log(_QUIETEST), np.log(_NOISIEST))))
    levels = noise * (kind.repetitions(rng, (8, nights, 5)).mean(axis=2)[int(rng.integers(8))] * np.sqrt(5))
    drift = 2 * noise if kind.own_drift or kind.machine_drift else 0.0
    levels = levels + drift * _autoregressive(rng, nights, 0.7)
    if kind.slow_nights:
        levels = levels + noise * rng.uniform(1, 3) * (rng.random(nights) < 0.1)
    if rng.random() < 0.5:
        levels = levels + rng.uniform(0.05, 0.5, nights) * (rng.random(nights) < 0.02)
    changes = _places(rng, nights) if steps else ()
    smallest = max(_SMALLEST, _VISIBLE * noise * (_DRIFTING if drift else 1))
    for place in changes:
        size = np.exp(rng.uniform(np.log(smallest), np.log(max(_LARGEST, smallest))))
        levels[place:] += size * rng.choice([-1, 1])
    return KnownSeries(kind.name, np.exp(levels).tolist(), changes)


def _autoregressive(rng: np.random.Generator, nights: int, correlation: float) -> Floats:
    series: Floats = rng.standard_normal(nights)
    for night in range(1, nights):
        series[night] = correlation * series[night - 1] + np.sqrt(1 - correlation**2) * series[night]
    return series


def _places(rng: np.random.Generator, nights: int) -> tuple[int, ...]:
    """Returns up to four places, at least five nights from each other and from both ends."""
    places: list[int] = []
    for place in rng.integers(_SHORTEST, nights - _SHORTEST + 1, int(rng.integers(0, 5))):
        if all(abs(int(place) - other) >= _SHORTEST for other in places):
            places.append(int(place))
    return tuple(sorted(places))
