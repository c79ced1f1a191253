"""What makes figures of a machine differ from run to run, each with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from examples_utils.doctor.observation import Observation
from examples_utils.machine.cgroup import cpu_quota, quota_warning
from examples_utils.machine.hardware import boost, governor
from examples_utils.machine.kernel_files import text_of

_CPU = "sys/devices/system/cpu"
_CLOCK = "sys/devices/system/clocksource/clocksource0"
# Counters of the CPU itself. A guest's clock adds a page that the hypervisor writes; others cost a microsecond.
_FAST_CLOCKS, _GUEST_CLOCKS = (
    ("tsc", "arch_sys_counter", "timebase"),
    ("kvm-clock", "hyperv_clocksource_tsc_page"),
)
_BUSY, _TOO_BUSY = 0.05, 0.3  # tasks of others per core
_STOLEN, _TOO_MUCH_STOLEN = 0.001, 0.01  # shares of the cores' time
_ENOUGH_MEMORY, _LITTLE_MEMORY = 0.25, 0.1  # shares of the whole
_STEADY, _UNSTEADY = 0.01, 0.03  # relative spread of the canary


class Level(str, Enum):
    """How well a machine can be measured in one respect."""

    GOOD = "good"
    COULD_BE_BETTER = "could be better"
    BAD = "bad"


@dataclass(frozen=True)
class Check:
    """One line: what was found, and a shell command (or what else to do) if it is not good."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def checks(seen: Observation, allowed: int, root: Path = Path("/")) -> list[Check]:
    """Returns all checks. `allowed` is the number of cores of the CPU affinity; `root` contains `proc` and `sys`."""
    return [
        _governor(root),
        _boost(root),
        _smt(root),
        _isolation(root),
        _quota(allowed, root),
        _clock(root),
        _share(
            "other programs",
            seen.other_tasks_per_core,
            _BUSY,
            _TOO_BUSY,
            "{:.2f} busy tasks per core",
            "end them: top lists them",
        ),
        _share(
            "stolen time",
            seen.stolen_share,
            _STOLEN,
            _TOO_MUCH_STOLEN,
            "the hypervisor gave {:.1%} of the cores' time to others",
            "use a machine with dedicated cores",
        ),
        _memory(seen.free_memory_share),
        *(
            _share(
                f"noise floor, {kernel.removesuffix('_s')}",
                spread,
                _STEADY,
                _UNSTEADY,
                "the same work differed by {:.1%} (standard deviation) from run to run",
                "mend the lines above first, then run doctor again",
            )
            for kernel, spread in seen.spread.items()
        ),
    ]


def _governor(root: Path) -> Check:
    found = governor(root)
    if found == "performance":
        return Check("governor", Level.GOOD, found)
    if found is None:
        return _unreported("governor")
    return Check("governor", Level.BAD, found, "sudo cpupower frequency-set -g performance")


def _boost(root: Path) -> Check:
    on = boost(root)
    if on is None:
        return _unreported("boost")
    if not on:
        return Check("boost", Level.GOOD, "off")
    intel = (root / _CPU / "intel_pstate/no_turbo").exists()
    file, value = ("intel_pstate/no_turbo", 1) if intel else ("cpufreq/boost", 0)
    remedy = f"echo {value} | sudo tee /{_CPU}/{file}"
    return Check(
        "boost", Level.COULD_BE_BETTER, "on: the clock depends on heat and on the other cores", remedy
    )


def _smt(root: Path) -> Check:
    active = text_of(root / _CPU / "smt/active")
    if active == "1":
        remedy = f"echo off | sudo tee /{_CPU}/smt/control"
        return Check("SMT", Level.COULD_BE_BETTER, "on: two threads share a core", remedy)
    return Check("SMT", Level.GOOD, "off") if active == "0" else _unreported("SMT")


def _isolation(root: Path) -> Check:
    isolated = text_of(root / _CPU / "isolated")
    if isolated:
        return Check("isolation", Level.GOOD, f"cores {isolated} are isolated")
    remedy = "boot with isolcpus=managed_irq,domain,LIST, and run under taskset -c LIST"
    return Check("isolation", Level.COULD_BE_BETTER, "no core is isolated from other programs", remedy)


def _quota(allowed: int, root: Path) -> Check:
    quota = cpu_quota(root)
    if (warning := quota_warning(allowed, quota)) is None:
        return Check("CPU quota", Level.GOOD, "none below the cores that may be used")
    whole = quota is not None and quota == int(quota)
    remedy = "bind the container to whole cores instead: docker run --cpuset-cpus LIST"
    return Check("CPU quota", Level.COULD_BE_BETTER if whole else Level.BAD, warning, remedy)


def _clock(root: Path) -> Check:
    found = text_of(root / _CLOCK / "current_clocksource")
    if not found:
        return _unreported("clock source")
    if found in _FAST_CLOCKS:
        return Check("clock source", Level.GOOD, found)
    offered = [
        clock for clock in text_of(root / _CLOCK / "available_clocksource").split() if clock in _FAST_CLOCKS
    ]
    switch = (
        f"echo {offered[0]} | sudo tee /{_CLOCK}/current_clocksource" if offered else "use another machine"
    )
    level = Level.COULD_BE_BETTER if found in _GUEST_CLOCKS else Level.BAD
    return Check("clock source", level, found, switch)


def _memory(free_share: float) -> Check:
    good, bad = free_share >= _ENOUGH_MEMORY, free_share < _LITTLE_MEMORY
    level = Level.GOOD if good else Level.BAD if bad else Level.COULD_BE_BETTER
    remedy = "" if good else "end the largest programs: ps -eo pid,rss,args --sort=-rss | head"
    return Check("free memory", level, f"{free_share:.0%}", remedy)


def _share(name: str, value: float | None, fair: float, bad: float, text: str, remedy: str) -> Check:
    """`text` has a place for the value; from `fair` on it could be better, from `bad` on it is bad."""
    if value is None:
        return _unreported(name)
    level = Level.BAD if value >= bad else Level.COULD_BE_BETTER if value >= fair else Level.GOOD
    return Check(name, level, text.format(value), "" if level is Level.GOOD else remedy)


def _unreported(name: str) -> Check:
    return Check(
        name,
        Level.COULD_BE_BETTER,
        "this system does not report it",
        "use bare metal: a guest or a container depends on its host",
    )
