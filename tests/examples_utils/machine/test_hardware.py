"""What the runner learns about a machine from programs, and from its limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples_utils.machine.cgroup import quota_warning, whole_cores
from examples_utils.machine.gpu import gpu_facts
from examples_utils.machine.hardware import memory_bytes, software_of_machine
from tests.machines.recorded import MACHINES
from tests.machines.trees import write_tree


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`program(name, output, exitcode)`: the only program on PATH, which prints the output."""

    def make(name: str, output: str, exitcode: int = 0) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "output").write_text(output)
        file = folder / name
        file.write_text(
            f'#!/bin/sh\nwhile IFS= read -r line; do echo "$line"; done < {folder / "output"}\nexit {exitcode}\n'
        )
        file.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return make


def test_gpus_have_names_a_driver_and_power_limits(program):
    program("nvidia-smi", "NVIDIA L4, 550.54.15, 72.00\nNVIDIA L4, 550.54.15, [N/A]\n")
    assert gpu_facts() == {
        "accelerators": ["NVIDIA L4", "NVIDIA L4"],
        "accelerator_power_limits_w": [72.0, None],
        "drivers": {"nvidia": "550.54.15"},
    }


@pytest.mark.parametrize(("output", "exitcode"), [("No devices were found\n", 0), ("NVIDIA L4, 1.2, 3\n", 9)])
def test_a_driver_without_gpus_gives_none(program, output: str, exitcode: int):
    program("nvidia-smi", output, exitcode)
    assert gpu_facts()["accelerator_power_limits_w"] is None


def test_an_arm_cpu_gets_its_name_from_lscpu(program, tmp_path: Path):
    root = write_tree(MACHINES["Arm server in the cloud"].machine, tmp_path / "root")
    vendor = {
        "field": "Vendor ID:",
        "data": "ARM",
        "children": [{"field": "Model name:", "data": "Neoverse-V1"}],
    }
    program("lscpu", json.dumps({"lscpu": [{"field": "Architecture:", "data": "aarch64"}, vendor]}) + "\n")
    assert software_of_machine(root)["cpu_name"] == "Neoverse-V1"


@pytest.mark.parametrize(
    "output", ["", "[]", '{"lscpu": 3}', '{"lscpu": [{"field": "Model name:", "data": "-"}]}']
)
def test_without_a_name_of_lscpu_there_is_none(program, tmp_path: Path, output: str):
    root = write_tree(MACHINES["Arm server in the cloud"].machine, tmp_path / "root")
    program("lscpu", f"{output}\n")
    assert software_of_machine(root)["cpu_name"] is None


def test_the_memory_of_a_container_is_its_limit(tmp_path: Path):
    machine = MACHINES["container of version 2 with a fractional quota"].machine
    assert memory_bytes(write_tree(machine, tmp_path)) == 4 * 2**30


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [(8, None, 8), (8, 2.9, 2), (8, 0.2, 1), (2, 6.5, 2), (1, 1.0, 1), (8, 8.0, 8)],
)
def test_the_core_budget_is_the_smaller_of_affinity_and_whole_quota(
    allowed: int, quota: float | None, cores: int
):
    assert whole_cores(allowed, quota) == cores


@pytest.mark.parametrize(
    ("allowed", "quota", "warning"),
    [
        (8, None, None),
        (8, 8.0, None),
        (2, 2.5, None),
        (8, 4.0, "a CPU quota limits this process to the time of 4 cores: 4 of the 8 cores of the CPU affinity"),
        (8, 2.5, "time of 2.5 cores: 2 of the 8 cores of the CPU affinity are used, and the fraction is not; "),
        (8, 0.5, "time of 0.5 cores: 1 of the 8 cores of the CPU affinity is used, and the kernel stops it in between"),
    ],
)  # fmt: skip
def test_a_quota_below_the_affinity_is_a_warning_with_the_number(
    allowed: int, quota: float | None, warning: str | None
):
    found = quota_warning(allowed, quota)
    assert found is None if warning is None else warning in (found or "")
