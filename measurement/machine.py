"""Facts about this machine, which any comparison of results needs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def available_cores() -> int:
    """Cores that this process may use (its CPU affinity, not the machine's total)."""
    return len(cores_in_use())


def cores_in_use() -> tuple[int, ...]:
    """Numbers of the cores that the calling thread may use; hyperthreads of one core are adjacent."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0), key=_place_of_core))
    return tuple(range(os.cpu_count() or 1))


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


def _place_of_core(core: int) -> tuple[int, int, int]:
    """Package, physical core and number, so that sorting keeps hyperthreads adjacent (Linux's sysfs)."""
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    try:
        package = int((topology / "physical_package_id").read_text())
        physical = int((topology / "core_id").read_text())
    except (OSError, ValueError):
        return 0, core, core
    return package, physical, core


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
