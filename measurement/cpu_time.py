"""The CPU time on the cores of a measurement: its own, that of its children, and that of other processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

STAT = Path("/proc/stat")
DISTURBED = "other processes took"
"""How the warning of `disturbance` begins."""

NOTABLE_SHARE = 0.02
"""Share of the cores' time: if other processes take more, repetitions differ for no reason of their own."""

FEWEST_TICKS = 5
"""The kernel counts CPU time in ticks, and charges a whole one to the process that runs at its end."""


@dataclass(frozen=True)
class Reading:
    """A reading of the clock and of CPU times, in seconds. `busy_s`: of the cores, None if unknown."""

    clock_s: float
    own_s: float
    children_s: float
    busy_s: float | None


@dataclass(frozen=True)
class CpuTime:
    """CPU seconds that a process, its children and all other processes spent on its `cores` in `wall_s`.

    `others_s` includes interrupts and time stolen by a hypervisor; None if the kernel does not report it.
    """

    wall_s: float
    cores: int
    own_s: float
    children_s: float
    others_s: float | None

    @property
    def share_of_others(self) -> float:
        """Share of the cores' time, 0 to 1; 0 if unknown."""
        return (self.others_s or 0.0) / (self.wall_s * self.cores)


def read(cores: Sequence[int], sharers: int = 1) -> Reading:
    """The CPU time spent so far. Takes milliseconds, as it searches all processes for children.

    A replica's parent works for all of its `sharers` replicas, so an equal share of its time counts as the replica's.
    """
    ended = os.times()
    children_s = ended.children_user + ended.children_system
    process = psutil.Process()
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # its time is its parent's, once the parent has waited for it
            used = child.cpu_times()
            children_s += used.user + used.system + used.children_user + used.children_system
    parent, parent_s = multiprocessing.parent_process(), 0.0
    if parent is not None and parent.pid is not None:
        with suppress(psutil.NoSuchProcess):
            used = psutil.Process(parent.pid).cpu_times()
            parent_s = used.user + used.system
    return Reading(time.monotonic(), time.process_time() + parent_s / sharers, children_s, _busy_s(cores))


def spent(before: Reading, after: Reading, cores: int, tick_s: float | None = None) -> CpuTime:
    """The CPU time between two readings of one process on this number of cores."""
    own_s, children_s = after.own_s - before.own_s, max(after.children_s - before.children_s, 0.0)
    others_s = None
    if before.busy_s is not None and after.busy_s is not None:
        busy_s, known_s = after.busy_s - before.busy_s, own_s + children_s
        # Some sandboxes have the file, with counters that never change.
        if busy_s >= known_s / 2 - FEWEST_TICKS * (tick_s or _tick_s()):
            others_s = max(busy_s - known_s, 0.0)
    return CpuTime(after.clock_s - before.clock_s, cores, own_s, children_s, others_s)


def of_all(processes: Sequence[tuple[CpuTime, ...]]) -> tuple[CpuTime, ...]:
    """The CPU times of all processes; none if one of them has none."""
    return sum(processes, ()) if all(processes) else ()


def cpu_time_lines(processes: Sequence[CpuTime]) -> dict[str, str]:
    """The report lines: sums over all processes, and the most disturbed process."""
    if not processes:
        return {}
    return {
        "cpu_time_own": f"{sum(part.own_s for part in processes):.2f} s",
        "cpu_time_of_children": f"{sum(part.children_s for part in processes):.2f} s",
        "cpu_time_of_others": _others(processes),
    }


def disturbance(processes: Sequence[CpuTime], tick_s: float | None = None) -> tuple[str, ...]:
    """A warning if other processes took a notable share of the cores of any process."""
    least_s = FEWEST_TICKS * (tick_s or _tick_s())
    notable = [
        part
        for part in processes
        if part.share_of_others > NOTABLE_SHARE and (part.others_s or 0.0) >= least_s
    ]
    if not notable:
        return ()
    worst = max(notable, key=lambda part: part.share_of_others)
    return (
        f"{DISTURBED} {worst.share_of_others:.1%} of the time of the measured cores ({worst.others_s:.2f} s "
        f"in {worst.wall_s:.2f} s on {_cores(worst.cores)}), which lowers the results; stop other programs on this "
        "machine (top lists them) and measure again",
    )


def _others(processes: Sequence[CpuTime]) -> str:
    known = [part.others_s for part in processes if part.others_s is not None]
    if len(known) < len(processes):
        return "n/a (not reported by the kernel)"
    total_s, cores = sum(known), sum(part.cores for part in processes)
    share = total_s / sum(part.wall_s * part.cores for part in processes)
    worst = f", at most {max(part.share_of_others for part in processes):.1%} for one process"
    return f"{total_s:.2f} s ({share:.1%} of {_cores(cores)}{worst * (len(processes) > 1)})"


def _cores(count: int) -> str:
    return f"{count} core{'s' * (count > 1)}"


def _busy_s(cores: Sequence[int]) -> float | None:
    """The non-idle time of these cores (proc_stat(5)); steal is time that a hypervisor gave to other machines."""
    try:
        lines = STAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    missing, ticks = {f"cpu{core}" for core in cores}, 0
    for line in lines:
        name, *numbers = line.split()
        if name in missing:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, numbers[:8])
            ticks += user + nice + system + irq + softirq + steal
            missing.remove(name)
    return None if missing else ticks * _tick_s()


def _tick_s() -> float:
    return 1 / os.sysconf("SC_CLK_TCK")
