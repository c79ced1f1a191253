"""Shares the cores of a host between the instances on it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from driver.instances.errors import LaunchError
from measurement.machine import core_shares, cores_in_use


@dataclass(frozen=True)
class Place:
    """The host of an instance, and the cores that its launcher allows."""

    host: str
    cores: tuple[int, ...]


def place() -> Place:
    return Place(host_name(), cores_in_use())


def host_name() -> str:
    """A name that processes share if and only if they share cores, even from different containers."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.exists() else platform.node()


def own_cores(places: Sequence[Place], index: int) -> tuple[int, ...]:
    """The cores for instance `index`: its share of those that its launcher bound it and others to.

    Raises `LaunchError` if there are fewer cores than instances.
    """
    mine = places[index]
    sharers = [
        n for n, other in enumerate(places) if other.host == mine.host and set(other.cores) == set(mine.cores)
    ]
    if len(sharers) > len(mine.cores):
        raise LaunchError(
            f"{len(sharers)} instances share {len(mine.cores)} cores of this host, and each needs one of its own: "
            f"start {len(mine.cores)} or fewer, or use more hosts"
        )
    return core_shares(mine.cores, len(sharers))[sharers.index(index)]


def remarks(places: Sequence[Place]) -> tuple[str, ...]:
    """Warnings about cores that stay idle, and about overlapping sets of cores, on any host."""
    alike = Counter((place.host, frozenset(place.cores)) for place in places)
    lines = [
        f"{sharers} instances share {len(cores)} cores equally, so {idle} of them stay{'s' * (idle == 1)} idle"
        for (_, cores), sharers in alike.items()
        if (idle := len(cores) % sharers)
    ]
    if any(host == other and cores & more for (host, cores), (other, more) in combinations(alike, 2)):
        lines.append(
            "the launcher bound instances to overlapping sets of cores, so they disturb each other: "
            "disable binding, or bind each to cores of its own"
        )
    return tuple(dict.fromkeys(lines))
