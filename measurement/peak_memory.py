"""The peak resident memory of this process: in all, and in the measured phase."""

from __future__ import annotations

import re
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATUS, CLEAR_REFS, RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs"), "5"
"""proc_pid_clear_refs(5): writing 5 resets the peak to the memory now in use."""


@dataclass(frozen=True)
class PeakMemory:
    """In MiB: the peak of a process up to its measured phase, and that of the phase; None if unknown."""

    before_mib: float
    measured_mib: float | None


def peak_mib() -> float:
    """The peak of this process in MiB, since its start or the last `reset_peak`.

    From Linux's VmHWM: getrusage(2) also counts the process that started this one, whose memory it shared until exec.
    """
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB", STATUS.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def reset_peak() -> tuple[float, bool]:
    """The peak so far in MiB, and whether it now counts anew: not every kernel can reset it."""
    so_far_mib = peak_mib()
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return so_far_mib, False
    return so_far_mib, True


def measured_mib(processes: Sequence[PeakMemory]) -> float | None:
    """The sum of the peaks of the measured phase; None if one is unknown."""
    known = [one.measured_mib for one in processes if one.measured_mib is not None]
    return sum(known) if processes and len(known) == len(processes) else None
