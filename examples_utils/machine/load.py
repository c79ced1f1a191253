"""Load, temperature and frequency of the machine at one moment, and the load of other processes."""

from __future__ import annotations

import os
import re
import resource
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples_utils.machine.fingerprint import cores, cpu_files
from examples_utils.machine.hardware import governor

BUSY_TASKS_PER_CORE = 0.3
# The kernel counts CPU time in steps of 10 ms, so a shorter window would mostly show rounding.
_WINDOW_S = 1.0


@dataclass(frozen=True)
class _CpuTime:
    at_s: float
    all_busy_s: float
    own_s: float


class OtherLoad:
    """Measures how many tasks of other processes kept the cores busy in the last second or since the last call.

    All processes' CPU time, minus that of this process and of its finished children: the run's own
    commands do not count as other load, as they would in the load average.
    """

    def __init__(self) -> None:
        self._seen: deque[_CpuTime] = deque([_cpu_time()])

    def tasks_per_core(self) -> float | None:
        """Returns the mean number of other busy tasks, divided by the cores; None if unknown."""
        now = _cpu_time()
        while len(self._seen) > 1 and now.at_s - self._seen[1].at_s >= _WINDOW_S:
            self._seen.popleft()
        first = self._seen[0]
        self._seen.append(now)
        elapsed_s = now.at_s - first.at_s
        if elapsed_s < 0.1 or not now.all_busy_s:
            return None
        others_s = (now.all_busy_s - first.all_busy_s) - (now.own_s - first.own_s)
        return max(others_s, 0.0) / elapsed_s / (os.cpu_count() or 1)


def machine_state(other_load: OtherLoad) -> dict[str, Any]:
    """Returns the state before a variant starts; None for values that this machine does not report."""
    return {
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "other_tasks_per_core": _rounded(other_load.tasks_per_core()),
        "cores": cores(),
        "cpu_frequency_mhz": _rounded(_frequency_mhz()),
        "governor": governor(),
        "throttle_events": throttle_events(),
        "memory_available_bytes": _memory_available_bytes(),
    }


def throttle_events() -> int | None:
    """Returns how often the cores slowed down because of their temperature since boot; None if unknown."""
    counts = [_number(file) for file in cpu_files("thermal_throttle/*_throttle_count")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def busy_warning(state: dict[str, Any]) -> str | None:
    """Returns a warning if other processes keep the machine busy."""
    tasks = state["other_tasks_per_core"]
    if tasks is None or tasks <= BUSY_TASKS_PER_CORE:
        return None
    return f"the machine was busy before this variant: {tasks:.2f} other tasks per core; metrics may suffer"


def _cpu_time() -> _CpuTime:
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own_s = sum(usage.ru_utime + usage.ru_stime for usage in own)
    return _CpuTime(time.monotonic(), _busy_s(), own_s)


def _busy_s() -> float:
    """Returns CPU seconds of all cores since boot, without idle, waiting and stolen time; 0 if unknown."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    except OSError:
        return 0.0
    user, nice, system, _idle, _iowait, irq, softirq = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def _frequency_mhz() -> float | None:
    """Returns the mean over the cores, from the frequency driver or else /proc/cpuinfo."""
    khz = [_number(file) for file in cpu_files("cpufreq/scaling_cur_freq")]
    known = [value / 1000 for value in khz if value]
    if not known:
        try:
            text = Path("/proc/cpuinfo").read_text(errors="replace")
        except OSError:
            return None
        known = [float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text, re.MULTILINE)]
    return sum(known) / len(known) if known else None


def _memory_available_bytes() -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
