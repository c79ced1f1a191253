"""A process in a control group with a CPU quota, made by the kernel of this machine where it allows that."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cores import two_cores

pytestmark = [pytest.mark.processes, two_cores]
ROOT = Path(__file__).parents[2]
SPEC = """
two: {cmd: echo hi, requires: ['cores>=2']}
one: {cmd: echo hi, requires: ['cores>=1']}
"""
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with the time of 1.5 cores."""
    version_2 = (CGROUPS / "cgroup.controllers").exists()
    folder = (CGROUPS if version_2 else CGROUPS / "cpu") / f"test-{os.getpid()}"
    file, quota = ("cpu.max", "150000 100000") if version_2 else ("cpu.cfs_quota_us", "150000")
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"this machine lets nobody make a control group here: {error}")
    try:
        try:
            (folder / file).write_text(quota)
        except OSError as error:
            pytest.skip(f"this machine lets nobody set a CPU quota: {error}")
        yield folder
    finally:
        folder.rmdir()


def in_group(group: Path, *command: str) -> subprocess.CompletedProcess[str]:
    enter = f"echo $$ > {shlex.quote(str(group / 'cgroup.procs'))} && exec {shlex.join(command)}"
    return subprocess.run(["sh", "-c", enter], cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_runner_skips_what_needs_more_cores_than_the_quota(group: Path, tmp_path: Path) -> None:
    (tmp_path / "benchmarks.yml").write_text(SPEC)
    run = [sys.executable, "-m", "examples_utils", "benchmark", "--spec", str(tmp_path / "benchmarks.yml")]
    done = in_group(group, *run, "--log-dir", str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    assert (
        "SKIPPED two::two - requires cores>=2 (this process may use 1, by its CPU quota of 1.5)"
        in done.stdout
    )
    assert "PASSED one::one" in done.stdout
    assert done.stdout.count("a CPU quota limits this process to the time of 1.5 cores") == 1


def test_the_driver_uses_the_cores_of_the_quota_and_warns(group: Path) -> None:
    code = "from measurement.machine import *; print(available_cores(), *quota_warnings())"
    done = in_group(group, sys.executable, "-c", code)
    assert done.stdout.startswith("1 a CPU quota limits this process to the time of 1.5 cores"), done.stderr
