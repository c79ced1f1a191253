"""The logical CPUs of this machine: which share a physical core, a cache, a NUMA node or a socket.

Driver (`measurement`) and runner (`examples_utils.machine`) each have this file, as they share no code: edit the
driver's, and copy it. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_CPUS = "sys/devices/system/cpu"
# Linux names the kinds of cores of Intel's hybrid CPUs by their performance counters.
_INTEL_KINDS = {"sys/devices/cpu_core/cpus": "performance", "sys/devices/cpu_atom/cpus": "efficiency"}


@dataclass(frozen=True)
class Cache:
    """One cache: its size, and the first and the number of the logical CPUs that share it."""

    kib: int
    first_cpu: int
    sharers: int


@dataclass(frozen=True)
class LogicalCpu:
    """One logical CPU. `siblings` are all those of its physical core, itself included, in ascending order.

    `kind` distinguishes the cores of one machine: `performance`, `efficiency`, a relative `capacity` where Linux
    reports only that (Arm), or nothing where all are alike.
    """

    number: int
    package: int
    node: int
    siblings: tuple[int, ...]
    kind: str
    l2: Cache | None
    l3: Cache | None

    @property
    def place(self) -> tuple[int, int, int, int, int]:
        """Sorts by socket, node and third-level cache, the fastest cores first, siblings adjacent."""
        l3 = self.l3.first_cpu if self.l3 else 0
        return self.package, self.node, l3, self.siblings[0], self.number


def logical_cpus(numbers: Iterable[int], root: Path = Path("/")) -> tuple[LogicalCpu, ...]:
    """Returns the logical CPUs with these numbers, sorted by place. `root` contains `proc` and `sys`.

    What Linux does not report is assumed simple: one socket, one node, and a physical core for each.
    """
    return tuple(sorted((_cpu(number, root) for number in numbers), key=lambda cpu: cpu.place))


def preferred(cpus: Iterable[LogicalCpu], most: int) -> tuple[LogicalCpu, ...]:
    """Returns at most `most` of the CPUs, sorted by place: those of fast cores first, siblings of others last."""
    by_core: dict[int, list[LogicalCpu]] = {}
    for cpu in cpus:
        by_core.setdefault(cpu.siblings[0], []).append(cpu)
    ranked = sorted(
        (_slowness(cpu), nth, cpu.place, cpu) for core in by_core.values() for nth, cpu in enumerate(core)
    )
    return tuple(sorted((cpu for *_, cpu in ranked[:most]), key=lambda cpu: cpu.place))


def cpu_list(text: str) -> tuple[int, ...]:
    """Returns the numbers of a list such as `0-3,8`, in ascending order."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit():
            numbers.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(numbers))


def _slowness(cpu: LogicalCpu) -> int:
    word, _, capacity = cpu.kind.partition(" ")
    return -int(capacity) if word == "capacity" else int(word == "efficiency")


@lru_cache(maxsize=4096)
def _cpu(number: int, root: Path) -> LogicalCpu:
    folder = root / _CPUS / f"cpu{number}"
    topology = folder / "topology"
    siblings = cpu_list(_text(topology / "core_cpus_list") or _text(topology / "thread_siblings_list"))
    return LogicalCpu(
        number=number,
        package=_number(topology / "physical_package_id"),
        node=_node(folder),
        siblings=siblings or (number,),
        kind=_kind(number, root),
        l2=_cache(folder, 2),
        l3=_cache(folder, 3),
    )


def _node(folder: Path) -> int:
    """Linux links the folder of a CPU to that of its node, as `node0`."""
    found = sorted(int(link.name[4:]) for link in folder.glob("node[0-9]*") if link.name[4:].isdigit())
    return found[0] if found else 0


def _kind(number: int, root: Path) -> str:
    if kind := _intel_kinds(root).get(number):
        return kind
    capacities = _capacities(root)
    return f"capacity {capacities.get(number, 0)}" if len(set(capacities.values())) > 1 else ""


@lru_cache(maxsize=4)
def _intel_kinds(root: Path) -> dict[int, str]:
    return {number: kind for file, kind in _INTEL_KINDS.items() for number in cpu_list(_text(root / file))}


@lru_cache(maxsize=4)
def _capacities(root: Path) -> dict[int, int]:
    """Returns the relative speed of each CPU, 1024 for the fastest; empty if Linux does not know."""
    files = (root / _CPUS).glob("cpu[0-9]*/cpu_capacity")
    return {int(file.parent.name[3:]): _number(file) for file in files}


def _cache(folder: Path, level: int) -> Cache | None:
    for index in sorted(folder.glob("cache/index*")):
        if _number(index / "level") == level and _text(index / "type") != "Instruction":
            size, shared = _text(index / "size"), cpu_list(_text(index / "shared_cpu_list"))
            if size.endswith("K") and size[:-1].isdigit() and shared:
                return Cache(int(size[:-1]), shared[0], len(shared))
    return None


def _number(file: Path) -> int:
    """Returns 0 for what is unknown; Linux writes -1 for it, as for the socket on some Arm boards."""
    text = _text(file)
    return int(text) if text.isdigit() else 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
