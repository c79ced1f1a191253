"""What took time from a command while it ran, by the difference of the kernel's counters.

Counters miss nothing between two readings, unlike samples, and reading them costs the command nothing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples_utils.machine.cgroup import groups
from examples_utils.machine.kernel_files import number_in, text_of
from examples_utils.machine.load import throttle_events

NOTABLE_SHARE = 0.01
# The kernel counts stolen time in ticks of 10 ms: in a shorter command, one of them would be a notable share.
_LEAST_S = 0.05
_BEGIN, _END = "during this variant, ", "; its metrics may have suffered"


@dataclass(frozen=True)
class Counters:
    """A reading. `stolen_s` and `throttled_s` are summed over the cores; None is unknown."""

    clock_s: float
    stolen_s: float | None
    throttled_s: float | None
    memory_stalls_s: float | None
    thermal_throttles: int | None
    major_faults: int | None


def read_counters(cpus: Collection[int], root: Path = Path("/")) -> Counters:
    """Reads the counters of these CPUs, of the control groups of this process, and of the whole machine."""
    return Counters(
        clock_s=time.monotonic(),
        stolen_s=_stolen_s(cpus, root),
        throttled_s=max(_throttled_s(root), default=None),
        memory_stalls_s=_memory_stalls_s(root),
        thermal_throttles=throttle_events(),
        major_faults=number_in(r"^pgmajfault (\d+)", root / "proc/vmstat"),
    )


def taken_between(before: Counters, after: Counters, cores: int) -> dict[str, float | int | None]:
    """Returns the shares of the cores' time that were stolen and throttled, and what else slowed the machine.

    Shares are from 0 to 1; a smaller part than the counters resolve is 0, and None is unknown.
    """
    wall_s = max(after.clock_s - before.clock_s, 1e-9)
    return {
        "stolen_share": _share(before.stolen_s, after.stolen_s, wall_s * cores),
        "throttled_share": _share(before.throttled_s, after.throttled_s, wall_s * cores),
        "memory_stall_share": _share(before.memory_stalls_s, after.memory_stalls_s, wall_s),
        "thermal_throttles": _grown(before.thermal_throttles, after.thermal_throttles),
        "major_faults": _grown(before.major_faults, after.major_faults),
    }


def disturbance_warnings(taken: Mapping[str, float | int | None]) -> list[str]:
    """Returns a warning for each notable disturbance."""
    texts = {
        "stolen_share": "{:.1%} of the cores' time was stolen by the hypervisor",
        "throttled_share": "a CPU quota stopped the cores for {:.1%} of their time",
        "memory_stall_share": "processes waited for memory for {:.1%} of the time",
    }
    found = [
        text.format(share) for name, text in texts.items() if (share := taken[name] or 0) >= NOTABLE_SHARE
    ]
    if hot := taken["thermal_throttles"]:
        found.append(
            f"the CPU slowed down {hot} {'time' if hot == 1 else 'times'} because of its temperature"
        )
    return [f"{_BEGIN}{text}{_END}" for text in found]


def noted_disturbances(warnings: Iterable[str]) -> list[str]:
    """Returns what the warnings of `disturbance_warnings` among these are about."""
    return [
        text.removeprefix(_BEGIN).removesuffix(_END)
        for text in warnings
        if text.startswith(_BEGIN) and text.endswith(_END)
    ]


def _share(before: float | None, after: float | None, time_s: float) -> float | None:
    if before is None or after is None:
        return None
    taken_s = after - before
    return round(min(taken_s / time_s, 1.0), 5) if taken_s >= _LEAST_S else 0.0


def _grown(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(after - before, 0)


def _stolen_s(cpus: Collection[int], root: Path) -> float | None:
    """The eighth number of a CPU in `/proc/stat` (proc_stat(5))."""
    lines = re.findall(r"^cpu(\d+)((?: \d+){8,})", text_of(root / "proc/stat"), re.MULTILINE)
    stolen = [int(ticks.split()[7]) for number, ticks in lines if int(number) in cpus]
    return sum(stolen) / os.sysconf("SC_CLK_TCK") if stolen else None


def _throttled_s(root: Path) -> Iterator[float]:
    """Yields the time of each group around this process: microseconds in version 2, nanoseconds in version 1."""
    for controller, pattern, per_s in (
        ("", r"^throttled_usec (\d+)", 1e6),
        ("cpu", r"^throttled_time (\d+)", 1e9),
    ):
        for group in groups(root, controller):
            if (taken := number_in(pattern, group / "cpu.stat")) is not None:
                yield taken / per_s


def _memory_stalls_s(root: Path) -> float | None:
    """The time in which any process waited for memory (the kernel's psi.rst)."""
    stalls_us = number_in(r"^some .*total=(\d+)", root / "proc/pressure/memory")
    return None if stalls_us is None else stalls_us / 1e6
