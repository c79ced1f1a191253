"""Facts about this machine, which any comparison of results needs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from measurement.cgroup import cpu_quota, quota_warning, whole_cores
from measurement.topology import logical_cpus, preferred


def available_cores() -> int:
    """The core budget: the cores that this process may use, by its CPU affinity and its CPU quota."""
    return len(cores_in_use())


def cores_in_use() -> tuple[int, ...]:
    """Numbers of the cores of the budget of the calling thread; hyperthreads of one core are adjacent.

    A quota allows any of the cores of the affinity, but no more time than that of so many at once: of those, this
    names the fastest on different physical cores.
    """
    return budgeted_cores(allowed_cores())


def budgeted_cores(allowed: Sequence[int], root: Path = Path("/")) -> tuple[int, ...]:
    """Those of the `allowed` cores that the CPU quota lets run at the same time."""
    budget = whole_cores(len(allowed), cpu_quota(root))
    return tuple(cpu.number for cpu in preferred(logical_cpus(allowed, root), budget))


def allowed_cores() -> tuple[int, ...]:
    """Numbers of the cores on which the calling thread may run (its CPU affinity), in ascending order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def quota_warnings() -> list[str]:
    """A warning if a CPU quota leaves this process less time than its cores have."""
    warning = quota_warning(len(allowed_cores()), cpu_quota())
    return [warning] if warning else []


def use_only(cores: Sequence[int]) -> None:
    """Binds the calling thread, and the threads and processes that it starts later, to these cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def core_shares(cores: Sequence[int], parts: int) -> list[tuple[int, ...]]:
    """`cores` split into `parts` equal shares of adjacent cores; the remainder stays unused.

    Raises `ValueError` if there are fewer cores than parts.
    """
    each = len(cores) // parts
    if each == 0:
        raise ValueError(f"{len(cores)} cores cannot be shared by {parts}")
    return [tuple(cores[part * each : (part + 1) * each]) for part in range(parts)]


@lru_cache(maxsize=1)
def has_native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (AVX512-BF16, AMX-BF16, or Arm's BF16 extension)."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(cpu_features())


def cpu_model() -> str:
    """The CPU's name, as the kernel reports it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_features() -> frozenset[str]:
    """The CPU's features, as the kernel names them (`avx2`, `avx512_bf16`, …)."""
    return frozenset((_cpuinfo("flags") or _cpuinfo("Features") or "").split())


def _cpuinfo(key: str) -> str | None:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None
