"""The facts of this machine that decide how fast it is, from `/proc` and `/sys`."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from examples_utils.machine.cgroup import cpu_quota, memory_limit, whole_cores
from examples_utils.machine.gpu import gpu_facts
from examples_utils.machine.kernel_files import text_of
from examples_utils.machine.topology import LogicalCpu, logical_cpus

# Instructions for which engines have kernels of their own, by Linux's names for x86 and Arm.
_FLAGS = """
    sse4_1 sse4_2 avx f16c fma avx2 avx_vnni avx_vnni_int8 avx_vnni_int16 avx_ifma avx_ne_convert avx10
    avx512f avx512bw avx512dq avx512vl avx512_vnni avx512_bf16 avx512_fp16 amx_tile amx_int8 amx_bf16 amx_fp16
    asimd asimdhp asimddp asimdfhm bf16 i8mm sve sve2 svebf16 svei8mm sme sme2
"""
_ARM_NUMBERS = ("CPU implementer", "CPU part", "CPU variant", "CPU revision")
_CPU = "sys/devices/system/cpu"
_DMI = "sys/class/dmi/id"
_GIB = 2**30


def hardware_facts(allowed: Sequence[int], root: Path = Path("/")) -> dict[str, Any]:
    """Returns what decides about this machine's speed. Unknown values are None.

    `allowed` are the numbers of the CPUs of this process's affinity: what is not reachable does not count. `root`
    contains `proc` and `sys`; the names of the operating system and of nvidia-smi are always those of here.
    """
    blocks = _cpuinfo(root)
    cpus, quota = logical_cpus(allowed, root), cpu_quota(root)
    known_topology = (root / _CPU).is_dir()
    return {
        "cpu": _name(blocks),
        "cpu_id": _ids(blocks),
        "cpu_flags": sorted(set(_FLAGS.split()).intersection(_first(blocks, "flags", "Features").split())),
        "cores": whole_cores(len(allowed), quota),
        "allowed_cores": len(allowed),
        "cpu_quota": None if quota is None else round(quota, 3),
        "core_groups": _core_groups(cpus) if known_topology else [],
        "sockets": len({cpu.package for cpu in cpus}) if known_topology else None,
        "numa_nodes": len({cpu.node for cpu in cpus}) if known_topology else None,
        "isolated_cores": text_of(root / _CPU / "isolated") or None,
        "boost": boost(root),
        "governor": governor(root),
        "hypervisor": _hypervisor(blocks, root),
        **_memory(root),
        **gpu_facts(root),
    }


def software_of_machine(root: Path = Path("/")) -> dict[str, Any]:
    """Returns the versions below the operating system's programs: they change with updates of the same machine."""
    return {
        "kernel": platform.release(),
        "microcode": _first(_cpuinfo(root), "microcode") or None,
        "cpu_name": _name_by_lscpu(root) if not _first(_cpuinfo(root), "model name") else None,
    }


def governor(root: Path = Path("/")) -> str | None:
    """Returns the frequency governors in use, or None if the kernel does not report them."""
    files = (root / _CPU).glob("cpu[0-9]*/cpufreq/scaling_governor")
    return ",".join(sorted({text for file in files if (text := text_of(file))})) or None


def boost(root: Path = Path("/")) -> bool | None:
    """Whether the clock may exceed its nominal frequency; None if the kernel does not report it."""
    if (text := text_of(root / _CPU / "cpufreq/boost")) in ("0", "1"):
        return text == "1"
    no_turbo = text_of(root / _CPU / "intel_pstate/no_turbo")
    return no_turbo == "0" if no_turbo in ("0", "1") else None


def memory_bytes(root: Path = Path("/")) -> int | None:
    """Returns the memory that this process can have: what the kernel manages, or the limit of its control group."""
    return _memory(root)["memory_bytes"]


def _cpuinfo(root: Path) -> list[dict[str, str]]:
    """Returns the blocks of `/proc/cpuinfo`: one per CPU, and on some machines one about the whole machine."""
    blocks = []
    for block in re.split(r"\n\s*\n", text_of(root / "proc/cpuinfo")):
        fields = (line.partition(":") for line in block.splitlines())
        blocks.append({key.strip(): value.strip() for key, _, value in fields})
    return blocks


def _first(blocks: Iterable[Mapping[str, str]], *keys: str) -> str:
    return next((block[key] for block in blocks for key in keys if block.get(key)), "")


def _name(blocks: Sequence[Mapping[str, str]]) -> str:
    """Returns the name from the kernel, which Arm's has only for boards, or else the numbers of the CPU."""
    named = _first(blocks, "model name", "Model", "cpu")
    return named or _ids(blocks) or platform.processor() or platform.machine()


def _ids(blocks: Sequence[Mapping[str, str]]) -> str | None:
    """Returns the numbers that identify the design of the CPU: of each kind of core, if they differ."""
    found = dict.fromkeys(text for block in blocks if (text := _id(block)))
    return "; ".join(sorted(found)) or None


def _id(block: Mapping[str, str]) -> str:
    if "vendor_id" in block and "cpu family" in block:
        numbers = {"family": "cpu family", "model": "model", "stepping": "stepping"}
        return " ".join([block["vendor_id"], *(f"{word} {block.get(key)}" for word, key in numbers.items())])
    if "CPU implementer" in block:
        return " ".join(f"{key.removeprefix('CPU ')} {block[key]}" for key in _ARM_NUMBERS if key in block)
    return f"{block['cpu']} revision {block['revision']}" if {"cpu", "revision"} <= set(block) else ""


def _name_by_lscpu(root: Path) -> str | None:
    """Returns the name that lscpu has for the numbers of an Arm CPU, such as Neoverse-V1."""
    if not (program := shutil.which("lscpu")):
        return None
    arguments = [program, "-J", *([] if root == Path("/") else ["--sysroot", str(root)])]
    try:
        done = subprocess.run(
            arguments, capture_output=True, timeout=30, check=True, env={**os.environ, "LC_ALL": "C"}
        )
        fields = _fields(json.loads(done.stdout)["lscpu"])
        return next((value for field, value in fields if field == "Model name:" and value != "-"), None)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _fields(listed: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in listed:
        yield str(one.get("field")), str(one.get("data"))
        yield from _fields(one.get("children", ()))


def _core_groups(cpus: Sequence[LogicalCpu]) -> list[str]:
    """Returns a text for each kind of physical core: their number, threads and caches."""
    groups: dict[str, set[tuple[int, ...]]] = {}
    for cpu in cpus:
        allowed = sum(other.number in cpu.siblings for other in cpus) if len(cpu.siblings) > 1 else 1
        smt = "" if len(cpu.siblings) == 1 else f" with {allowed} of {len(cpu.siblings)} threads"
        words = [f"{cpu.kind} cores{smt}".strip()]
        words += [
            f"L{level} {cache.kib} KiB per {cache.sharers} CPU{'s' * (cache.sharers > 1)}"
            for level, cache in ((2, cpu.l2), (3, cpu.l3))
            if cache
        ]
        groups.setdefault(", ".join(words), set()).add(cpu.siblings)
    caches = {cpu.l3.first_cpu for cpu in cpus if cpu.l3}
    parts = f" in {len(caches)} parts of L3" if len(caches) > 1 else ""
    return [f"{len(cores)} {text}{parts}" for text, cores in sorted(groups.items())]


def _hypervisor(blocks: Sequence[Mapping[str, str]], root: Path) -> str | None:
    """Returns the vendor and product of a virtual machine, `unnamed` if only the CPU reports one, None elsewhere."""
    named = " ".join(filter(None, (text_of(root / _DMI / name) for name in ("sys_vendor", "product_name"))))
    if "hypervisor" in _first(blocks, "flags").split():
        return named or text_of(root / "sys/hypervisor/type") or "unnamed"
    if _first(blocks, "platform") == "pSeries":  # a partition of IBM's PowerVM, or a guest of KVM
        return "pSeries"
    # Arm's CPUs have no flag for it.
    is_arm = bool(_first(blocks, "CPU implementer"))
    virtual = re.search(r"QEMU|KVM|VMware|Virtual|Google Compute|Amazon EC2(?!.*metal)", named)
    return named if is_arm and virtual else None


def _memory(root: Path) -> dict[str, int | None]:
    """Returns the memory that this process can have, and what is installed, which no kernel changes."""
    total, limit = _memory_total(root), memory_limit(root)
    limit = limit if limit is not None and total is not None and limit < total else None
    return {
        "memory_bytes": total if limit is None else limit,
        "memory_limit_bytes": limit,
        "memory_installed_bytes": _installed(root)
        or (round(total / _GIB) * _GIB or total if total else None),
    }


def _memory_total(root: Path = Path("/")) -> int | None:
    """Returns the memory that the kernel manages, or None if it does not report it."""
    if match := re.search(r"^MemTotal:\s*(\d+) kB", text_of(root / "proc/meminfo"), re.MULTILINE):
        return int(match[1]) * 1024
    if root != Path("/"):
        return None
    import psutil

    return int(psutil.virtual_memory().total)


def _installed(root: Path) -> int | None:
    """Returns the size of all memory blocks: those that the kernel reserves for itself are in them."""
    folder = root / "sys/devices/system/memory"
    size = text_of(folder / "block_size_bytes")
    count = sum(1 for _ in folder.glob("memory[0-9]*"))
    return int(size, 16) * count if count and re.fullmatch("[0-9a-fA-F]+", size) else None
