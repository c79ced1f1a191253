"""Watches a machine for a while: how steady the same work is, and who else takes its time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median, stdev

import psutil

from examples_utils.machine.cgroup import groups
from examples_utils.machine.kernel_files import number_in
from examples_utils.machine.load import OtherLoad
from examples_utils.problems import RequestError

_STAT = Path("/proc/stat")
# In version 2 and 1: controller, files of limit and use, and the name of the part of it that the kernel drops first.
_GROUP_MEMORY = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
_FEWEST_RUNS = 5  # of the canary, for a standard deviation


@dataclass(frozen=True)
class Observation:
    """What was seen of the whole machine. Shares are from 0 to 1; None if the system does not report it.

    `free_memory_share` is that of the control group with the least, if one has a limit.
    `spread` maps each kernel of the canary to the standard deviation of its seconds, divided by their median.
    """

    other_tasks_per_core: float | None
    stolen_share: float | None
    free_memory_share: float
    spread: Mapping[str, float]


def observe(seconds: float) -> Observation:
    """Runs the canary again and again for at least so many seconds, and at least five times.

    Raises:
        RequestError: The canary cannot run, as NumPy is missing.
    """
    load, before = OtherLoad(), _stolen_and_all()
    end = time.monotonic() + seconds
    runs: list[dict[str, float]] = []
    while time.monotonic() < end or len(runs) < _FEWEST_RUNS:
        runs.append(_canary())
    after = _stolen_and_all()
    ticks = after[1] - before[1] if before and after else 0
    memory = psutil.virtual_memory()
    free_shares = (memory.available / memory.total, *free_shares_of_groups())
    return Observation(
        other_tasks_per_core=load.tasks_per_core(),
        stolen_share=(after[0] - before[0]) / ticks if before and after and ticks else None,
        free_memory_share=min(free_shares),
        spread={kernel: _spread([run[kernel] for run in runs]) for kernel in runs[0]},
    )


def free_shares_of_groups(root: Path = Path("/")) -> Iterator[float]:
    """Yields the free share of each memory limit on this process. `root` contains `proc` and `sys`."""
    for controller, limit_file, use_file, cache in _GROUP_MEMORY:
        for group in groups(root, controller):
            limit, used = (number_in(r"^(\d+)$", group / name) for name in (limit_file, use_file))
            if limit and used is not None:
                droppable = number_in(rf"^{cache} (\d+)$", group / "memory.stat") or 0
                yield max(0.0, 1 - (used - droppable) / limit)


def _canary() -> dict[str, float]:
    done = subprocess.run([sys.executable, "-m", "examples_utils.canary"], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"it exited with code {done.returncode}"])[-1]
        raise RequestError(f"doctor: the canary cannot run ({reason}): pip install -e '.[history]'")
    return {kernel: float(seconds) for kernel, seconds in json.loads(done.stdout).items()}


def _spread(seconds: list[float]) -> float:
    return stdev(seconds) / median(seconds)


def _stolen_and_all() -> tuple[int, int] | None:
    """Returns the ticks that a hypervisor gave to others, and all, of all cores since boot (proc_stat(5))."""
    try:
        ticks = [int(text) for text in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return (ticks[7], sum(ticks)) if len(ticks) == 8 else None
