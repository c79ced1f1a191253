"""What this machine is: the facts that figures are never compared without."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path


def available_cores() -> int:
    """Cores that this process may use (its CPU affinity, not the machine's total)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def has_native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 itself (AVX512-BF16, AMX-BF16, or Arm's BF16 extension)."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_cpu_features())


def cpu_model() -> str:
    """The CPU's name as the kernel tells it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_features() -> frozenset[str]:
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
