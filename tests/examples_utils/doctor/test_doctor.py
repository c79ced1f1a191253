"""What `doctor` finds on recorded machines and in what it saw, and its command."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from examples_utils.doctor.checks import Check, Level, checks
from examples_utils.doctor.observation import Observation, free_shares_of_groups
from tests.examples_utils.conftest import Workplace
from tests.machines.recorded import MACHINES
from tests.machines.trees import Described, Group, write_tree

CALM = Observation(0.0, 0.0, 0.9, {"compute_s": 0.002, "memory_s": 0.004})
CPU = "sys/devices/system/cpu"
CLOCK = "sys/devices/system/clocksource/clocksource0"


def found(root: Path, seen: Observation = CALM, allowed: int = 2) -> dict[str, Check]:
    return {check.name: check for check in checks(seen, allowed, root)}


def levels(checked: dict[str, Check], level: Level) -> list[str]:
    return [name for name, check in checked.items() if check.level is level]


def with_files(tmp_path: Path, **files: str) -> Path:
    machine = MACHINES["server with isolated cores"].machine
    return write_tree(replace(machine, files={**machine.files, **files}), tmp_path)


def test_a_tuned_server_that_is_idle_is_good_in_all_respects(tmp_path: Path):
    tuned = {f"{CPU}/smt/active": "0", f"{CPU}/cpufreq/boost": "0", f"{CLOCK}/current_clocksource": "tsc"}
    checked = found(with_files(tmp_path, **tuned))
    assert levels(checked, Level.GOOD) == list(checked)
    assert len(checked) == 11
    assert not any(check.remedy for check in checked.values())


def test_a_desktop_gets_the_command_for_each_line(tmp_path: Path):
    desktop = {
        f"{CPU}/smt/active": "1",
        f"{CPU}/isolated": "",
        f"{CPU}/intel_pstate/no_turbo": "0",
        f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave",
        f"{CLOCK}/current_clocksource": "hpet",
        f"{CLOCK}/available_clocksource": "tsc hpet acpi_pm",
    }
    checked = found(with_files(tmp_path, **desktop))
    assert levels(checked, Level.BAD) == ["governor", "clock source"]
    assert levels(checked, Level.COULD_BE_BETTER) == ["boost", "SMT", "isolation"]
    assert {name: checked[name].remedy for name in ("governor", "boost", "SMT", "clock source")} == {
        "governor": "sudo cpupower frequency-set -g performance",
        "boost": f"echo 1 | sudo tee /{CPU}/intel_pstate/no_turbo",
        "SMT": f"echo off | sudo tee /{CPU}/smt/control",
        "clock source": f"echo tsc | sudo tee /{CLOCK}/current_clocksource",
    }


@pytest.mark.parametrize(
    ("name", "allowed", "level"),
    [
        ("container of version 2 with a fractional quota", 8, Level.BAD),
        ("container of version 2 with half a core", 4, Level.BAD),
        ("pod of version 1, whose quota is that of the pod", 16, Level.COULD_BE_BETTER),
        ("container with a cpuset and a larger quota", 4, Level.GOOD),
    ],
)
def test_a_quota_is_bad_if_it_is_not_of_whole_cores(tmp_path: Path, name: str, allowed: int, level: Level):
    check = found(write_tree(MACHINES[name].machine, tmp_path), allowed=allowed)["CPU quota"]
    assert check.level is level


@pytest.mark.parametrize(
    ("seen", "name", "level", "text"),
    [
        (replace(CALM, other_tasks_per_core=0.1), "other programs", Level.COULD_BE_BETTER, "0.10 busy tasks"),
        (replace(CALM, other_tasks_per_core=0.5), "other programs", Level.BAD, "0.50 busy tasks"),
        (
            replace(CALM, other_tasks_per_core=None),
            "other programs",
            Level.COULD_BE_BETTER,
            "does not report",
        ),
        (replace(CALM, stolen_share=0.004), "stolen time", Level.COULD_BE_BETTER, "0.4%"),
        (replace(CALM, stolen_share=0.07), "stolen time", Level.BAD, "7.0%"),
        (replace(CALM, free_memory_share=0.2), "free memory", Level.COULD_BE_BETTER, "20%"),
        (replace(CALM, free_memory_share=0.05), "free memory", Level.BAD, "5%"),
        (replace(CALM, spread={"memory_s": 0.02}), "noise floor, memory", Level.COULD_BE_BETTER, "2.0%"),
        (replace(CALM, spread={"memory_s": 0.08}), "noise floor, memory", Level.BAD, "8.0%"),
    ],
)
def test_what_disturbs_a_machine_is_reported_with_its_size(
    tmp_path: Path, seen: Observation, name: str, level: Level, text: str
):
    check = found(with_files(tmp_path), seen)[name]
    assert check.level is level
    assert text in check.found
    assert check.remedy


def test_a_system_that_reports_nothing_is_not_called_good(tmp_path: Path):
    checked = found(tmp_path)
    unknown = ["governor", "boost", "SMT", "isolation", "clock source"]
    assert levels(checked, Level.COULD_BE_BETTER) == unknown


@pytest.mark.processes
def test_the_command_measures_this_machine_and_exits_by_what_it_found(workplace: Workplace):
    done = workplace.command("doctor", "--seconds", "0.1", "--json")
    printed = json.loads(done.out)["checks"]
    assert [check["name"] for check in printed][-2:] == ["noise floor, compute", "noise floor, memory"]
    assert done.exitcode == int(any(check["level"] == "bad" for check in printed))


@pytest.mark.processes
def test_without_numpy_the_canary_is_named_as_what_is_missing(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
):
    python = workplace.folder / "python"
    python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named numpy' >&2\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    done = workplace.command("doctor", "--seconds", "0.1")
    assert done.exitcode == 2
    assert "the canary cannot run (ModuleNotFoundError: No module named numpy): pip install" in done.err


def test_the_text_has_a_line_for_each_check_and_the_remedy_below_it(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
):
    seen = replace(CALM, stolen_share=0.07)
    monkeypatch.setattr("examples_utils.cli.doctor.observe", lambda seconds: seen)
    done = workplace.command("doctor")
    assert done.exitcode == 1
    lines = done.out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if "stolen time" in line]
    assert lines[place].startswith("bad ")
    assert lines[place + 1].strip() == "-> use a machine with dedicated cores"


@pytest.mark.parametrize(
    ("files", "shares"),
    [
        ({"memory.max": "max", "memory.current": "500"}, []),
        ({"memory.max": "1000", "memory.current": "900"}, [0.1]),
        (
            {"memory.max": "1000", "memory.current": "900", "memory.stat": "anon 9\ninactive_file 400\n"},
            [0.5],
        ),
        ({"memory.max": "1000", "memory.current": "1024"}, [0.0]),
        ({"memory.max": "1000"}, []),
    ],
)
def test_the_free_memory_is_that_of_the_control_group(
    tmp_path: Path, files: dict[str, str], shares: list[float]
):
    mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    group = {f"sys/fs/cgroup/app/{name}": text for name, text in files.items()}
    machine = Described((Group(1),), {}, groups_of_process="0::/app\n", mounts=mounts, files=group)
    assert list(free_shares_of_groups(write_tree(machine, tmp_path))) == pytest.approx(shares)
