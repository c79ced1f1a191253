"""Files of control groups that are cut, foreign or unusual are no limit, and never an error."""

from pathlib import Path

import pytest

from measurement.cgroup import cpu_quota, memory_limit
from tests.machines.trees import Described, Group, write_tree

V2 = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def limits(
    tmp_path: Path, files: dict[str, str], group: str = "0::/\n", mounts: str = V2
) -> tuple[object, object]:
    machine = Described((Group(1),), {}, groups_of_process=group, mounts=mounts, files=files)
    root = write_tree(machine, tmp_path)
    return cpu_quota(root), memory_limit(root)


@pytest.mark.parametrize("text", ["", "max", "max 100000", "100000", "100000 0", "-1 100000", "x y", "1 2 3"])
def test_what_is_no_quota_is_none(tmp_path: Path, text: str) -> None:
    assert limits(tmp_path, {"sys/fs/cgroup/cpu.max": text})[0] is None


@pytest.mark.parametrize("group", ["", "0\n", "0::\n", "garbage\n0:::\n", "5:cpu:/a\n"])
def test_an_unreadable_list_of_groups_is_no_error(tmp_path: Path, group: str) -> None:
    assert limits(tmp_path, {"sys/fs/cgroup/memory.max": "max"}, group) == (None, None)


@pytest.mark.parametrize(
    "mounts", ["", "30 23 - cgroup2\n", " - cgroup2 cgroup2 rw\n", "30 23 0:26 / /x rw\n"]
)
def test_an_unreadable_list_of_mounts_is_no_error(tmp_path: Path, mounts: str) -> None:
    assert limits(tmp_path, {"sys/fs/cgroup/cpu.max": "50000 100000"}, mounts=mounts) == (None, None)


def test_both_versions_at_once_give_the_smaller_limit(tmp_path: Path) -> None:
    mounts = (
        V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
        + "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
    )
    files = {
        "sys/fs/cgroup/unified/cpu.max": "300000 100000",
        "cg/cpu/cpu.cfs_quota_us": "200000",
        "cg/cpu/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/unified/memory.max": "1048576",
    }
    assert limits(tmp_path, files, "1:cpu:/\n0::/\n", mounts) == (2.0, 2**20)


def test_the_names_of_groups_may_contain_escaped_characters(tmp_path: Path) -> None:
    group = r"/system.slice/a\x2db.slice"
    mounts = V2.replace(" / ", r" /system.slice/a\134x2db.slice ")
    assert limits(tmp_path, {"sys/fs/cgroup/cpu.max": "150000 100000"}, f"0::{group}\n", mounts)[0] == 1.5
    nested = {rf"sys/fs/cgroup{group}/cpu.max": "250000 100000"}
    assert limits(tmp_path / "host", nested, f"0::{group}\n")[0] == 2.5


def test_a_process_outside_of_what_is_mounted_has_the_limit_of_the_mount(tmp_path: Path) -> None:
    assert limits(tmp_path, {"sys/fs/cgroup/cpu.max": "150000 100000"}, "0::/../other\n")[0] == 1.5
