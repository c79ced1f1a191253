"""What took time from a command: from the kernel's counters before and after it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from examples_utils.machine.disturbance import (
    Counters,
    disturbance_warnings,
    read_counters,
    taken_between,
)
from tests.machines.recorded import MACHINES
from tests.machines.trees import write_tree

BEFORE = Counters(100.0, 5.0, 1.0, 2.0, 3, 40)
TICKS = os.sysconf("SC_CLK_TCK")
STAT = f"cpu  9 9 9 9 9 9 9 {9 * TICKS} 0 0\ncpu0 1 1 1 1 1 1 1 {2 * TICKS} 0 0\ncpu1 1 1 1 1 1 1 1 {3 * TICKS} 0 0\n"
STAT += f"cpu10 1 1 1 1 1 1 1 {4 * TICKS} 0 0\nintr 1\n"


def counters(tmp_path: Path, machine: str, **files: str) -> Counters:
    described = MACHINES[machine].machine
    root = write_tree(replace(described, files={**described.files, "proc/stat": STAT, **files}), tmp_path)
    return read_counters({0, 1}, root)


def test_stolen_time_is_that_of_the_cores_that_may_be_used(tmp_path: Path):
    assert counters(tmp_path, "old laptop of two cores").stolen_s == 5


def test_throttled_time_is_that_of_the_group_that_was_stopped_longest(tmp_path: Path):
    slices = "sys/fs/cgroup/bench.slice"
    nested = {
        f"{slices}/cpu.stat": "usage_usec 1\nnr_throttled 3\nthrottled_usec 7000000\n",
        f"{slices}/bench-night.slice/cpu.stat": "usage_usec 1\nthrottled_usec 0\n",
    }
    name = "service inside nested slices, the outer one of which is the narrowest"
    assert counters(tmp_path, name, **nested).throttled_s == 7


def test_throttled_time_of_version_1_is_in_nanoseconds(tmp_path: Path):
    stat = {"sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_throttled 3\nthrottled_time 2500000000\n"}
    name = "container of version 1, with the paths of its host"
    assert counters(tmp_path, name, **stat).throttled_s == 2.5


def test_waits_for_memory_and_faults_are_read(tmp_path: Path):
    files = {
        "proc/pressure/memory": "some avg10=0.0 avg60=0.0 avg300=0.0 total=1500000\nfull avg10=0.0 total=9\n",
        "proc/vmstat": "pgfault 8\npgmajfault 77\n",
    }
    found = counters(tmp_path, "old laptop of two cores", **files)
    assert (found.memory_stalls_s, found.major_faults) == (1.5, 77)


def test_what_a_system_does_not_report_is_unknown_and_no_warning(tmp_path: Path):
    found = replace(read_counters({0}, tmp_path), thermal_throttles=None)
    taken = taken_between(found, replace(found, clock_s=found.clock_s + 1), 1)
    assert set(taken.values()) == {None}
    assert disturbance_warnings(taken) == []


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"stolen_s": 6.4}, "7.0% of the cores' time was stolen by the hypervisor"),
        ({"throttled_s": 3.0}, "a CPU quota stopped the cores for 10.0% of their time"),
        ({"memory_stalls_s": 2.5}, "processes waited for memory for 5.0% of the time"),
        ({"thermal_throttles": 5}, "the CPU slowed down 2 times because of its temperature"),
        ({"thermal_throttles": 4}, "the CPU slowed down 1 time because of its temperature"),
    ],
)
def test_a_notable_disturbance_is_a_warning_with_its_size(change: dict[str, float], warning: str):
    taken = taken_between(BEFORE, replace(BEFORE, clock_s=110.0, **change), 2)
    assert disturbance_warnings(taken) == [f"during this variant, {warning}; its metrics may have suffered"]


@pytest.mark.parametrize("change", [{}, {"stolen_s": 5.19}, {"throttled_s": 1.19}, {"memory_stalls_s": 2.09}])
def test_less_than_one_percent_is_no_warning(change: dict[str, float]):
    taken = taken_between(BEFORE, replace(BEFORE, clock_s=110.0, **change), 2)
    assert disturbance_warnings(taken) == []


def test_a_single_tick_in_a_short_command_is_no_warning():
    taken = taken_between(BEFORE, replace(BEFORE, clock_s=100.1, stolen_s=5.01), 2)
    assert taken["stolen_share"] == 0
