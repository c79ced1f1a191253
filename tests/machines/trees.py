"""Writes what Linux shows of a machine in `/proc` and `/sys`, from a description of the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from measurement.topology import cpu_list


@dataclass(frozen=True)
class Group:
    """A number of equal physical cores, in each socket. Caches are in KiB; an L3 is shared by so many cores."""

    cores: int
    threads: int = 1
    kind: str = ""  # "core" or "atom" as in Intel's hybrid CPUs, or a number: the capacity of Arm's
    l2: int = 1024
    cores_per_l2: int = 1
    l3: int | None = 32768
    cores_per_l3: int | None = None  # all of the group in a socket


@dataclass(frozen=True)
class Described:
    """A machine. `cpuinfo` is the part of `/proc/cpuinfo` that each CPU has; `files` are added as they are.

    `siblings_adjacent`: CPUs 0 and 1 are hyperthreads of one core, instead of 0 and N/2.
    """

    groups: Sequence[Group]
    cpuinfo: Mapping[str, str]
    sockets: int = 1
    nodes_per_socket: int = 1
    siblings_adjacent: bool = False
    affinity: str = ""  # a list such as 0-3; empty: all
    memory_kib: int = 16 * 2**20
    memory_blocks: tuple[int, int] | None = None  # bytes of one, and their number
    groups_of_process: str = "0::/\n"  # /proc/self/cgroup
    mounts: str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"  # /proc/self/mountinfo
    cpuinfo_of_machine: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    without_linux: bool = False  # an empty tree

    @property
    def allowed(self) -> tuple[int, ...]:
        """The CPUs of the affinity, which a process gets from the kernel by a system call."""
        return cpu_list(self.affinity) or tuple(range(len(_cpus(self))))


@dataclass
class _Cpu:
    number: int
    package: int
    node: int
    core: int  # within its socket
    siblings: list[int]
    group: Group
    l2: list[int] = field(default_factory=list)
    l3: list[int] = field(default_factory=list)


def write_tree(machine: Described, root: Path) -> Path:
    """Writes `root/proc` and `root/sys`; returns `root`."""
    if machine.without_linux:
        return root
    cpus = _cpus(machine)
    for cpu in cpus:
        _write_cpu(cpu, root)
    nodes: dict[int, list[int]] = {}
    for cpu in cpus:
        nodes.setdefault(cpu.node, []).append(cpu.number)
    for node, members in nodes.items():
        _write(root, f"sys/devices/system/node/node{node}/cpulist", listed(members))
    for kind in ("core", "atom"):
        if members := [cpu.number for cpu in cpus if cpu.group.kind == kind]:
            _write(root, f"sys/devices/cpu_{kind}/cpus", listed(members))
    if machine.memory_blocks:
        size, count = machine.memory_blocks
        _write(root, "sys/devices/system/memory/block_size_bytes", f"{size:x}")
        for block in range(count):
            (root / f"sys/devices/system/memory/memory{block}").mkdir()
    _write(root, "proc/cpuinfo", _cpuinfo(machine, cpus))
    available = machine.memory_kib // 2
    _write(root, "proc/meminfo", f"MemTotal: {machine.memory_kib} kB\nMemAvailable: {available} kB")
    _write(root, "proc/self/cgroup", machine.groups_of_process)
    _write(root, "proc/self/mountinfo", machine.mounts)
    for file, text in machine.files.items():
        _write(root, file, text)
    return root


def listed(numbers: Sequence[int]) -> str:
    """The numbers as the kernel lists them, such as `0-3,8`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][-1] == number - 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}" for part in parts)


def _cpus(machine: Described) -> list[_Cpu]:
    """All logical CPUs: the first threads of all cores before the second ones, unless siblings are adjacent."""
    firsts = [
        (package, core, group)
        for package in range(machine.sockets)
        for core, group in enumerate(group for group in machine.groups for _ in range(group.cores))
    ]
    turns = [(place, thread) for place, (*_, group) in enumerate(firsts) for thread in range(group.threads)]
    if not machine.siblings_adjacent:
        turns.sort(key=lambda turn: turn[1])
    numbers: dict[int, list[int]] = {}
    for number, (place, _) in enumerate(turns):
        numbers.setdefault(place, []).append(number)
    per_socket = len(firsts) // machine.sockets
    found = []
    for place, (package, core, group) in enumerate(firsts):
        node = package * machine.nodes_per_socket + core * machine.nodes_per_socket // per_socket
        for number in numbers[place]:
            cpu = _Cpu(number, package, node, core, numbers[place], group)
            cpu.l2 = _sharing(firsts, numbers, place, group.cores_per_l2)
            cpu.l3 = _sharing(firsts, numbers, place, group.cores_per_l3) if group.l3 else []
            found.append(cpu)
    return sorted(found, key=lambda cpu: cpu.number)


def _sharing(
    firsts: Sequence[tuple[int, int, Group]],
    numbers: Mapping[int, Sequence[int]],
    place: int,
    cores: int | None,
) -> list[int]:
    """The CPUs that share a cache with the core at this place. None: all cores of the socket that have it."""
    package, _, group = firsts[place]
    if cores is None:
        members = [other for other, (p, _, g) in enumerate(firsts) if p == package and g.l3 == group.l3]
    else:
        own = [other for other, (p, _, g) in enumerate(firsts) if p == package and g == group]
        first = own.index(place) // cores * cores
        members = own[first : first + cores]
    return sorted(number for other in members for number in numbers[other])


def _write_cpu(cpu: _Cpu, root: Path) -> None:
    folder = f"sys/devices/system/cpu/cpu{cpu.number}"
    _write(root, f"{folder}/topology/physical_package_id", str(cpu.package))
    _write(root, f"{folder}/topology/core_id", str(cpu.core))
    _write(root, f"{folder}/topology/core_cpus_list", listed(cpu.siblings))
    (root / folder / f"node{cpu.node}").mkdir()
    if cpu.group.kind.isdigit():
        _write(root, f"{folder}/cpu_capacity", cpu.group.kind)
    caches = [(1, "Instruction", 32, cpu.siblings), (2, "Unified", cpu.group.l2, cpu.l2)]
    if cpu.group.l3:
        caches.append((3, "Unified", cpu.group.l3, cpu.l3))
    for index, (level, kind, kib, shared) in enumerate(caches):
        for name, text in (
            ("level", str(level)), ("type", kind), ("size", f"{kib}K"), ("shared_cpu_list", listed(shared)),
        ):  # fmt: skip
            _write(root, f"{folder}/cache/index{index}/{name}", text)


def _cpuinfo(machine: Described, cpus: Sequence[_Cpu]) -> str:
    blocks = [
        "\n".join(f"{key}\t: {value}" for key, value in {"processor": cpu.number, **machine.cpuinfo}.items())
        for cpu in cpus
    ]
    if machine.cpuinfo_of_machine:
        blocks.append("\n".join(f"{key}\t: {value}" for key, value in machine.cpuinfo_of_machine.items()))
    return "\n\n".join(blocks)


def _write(root: Path, file: str, text: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
