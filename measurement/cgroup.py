"""The limits of the control groups (cgroups v1 and v2) that this process is in, such as those of a container.

Driver (`measurement`) and runner (`examples_utils.machine`) each have this file, as they share no code: edit the
driver's, and copy it. A test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# What version 1 reports for "no limit" is the largest multiple of the page size that a signed integer holds.
_NO_LIMIT_BYTES = 2**62


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Returns the smallest CPU quota of the groups around this process, in cores; None if there is none.

    `root` contains `proc` and `sys`. A quota of a group outside the container's own view stays unknown.
    """
    found = [_v2_quota(group) for group in groups(root, "")]
    found += [_v1_quota(group) for group in groups(root, "cpu")]
    return min((quota for quota in found if quota is not None), default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Returns the smallest memory limit of the groups around this process, in bytes; None if there is none."""
    found = [_number(group / "memory.max") for group in groups(root, "")]
    found += [_number(group / "memory.limit_in_bytes") for group in groups(root, "memory")]
    return min((limit for limit in found if limit is not None and limit < _NO_LIMIT_BYTES), default=None)


def groups(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of the group of this process and of all groups around it, the innermost first.

    `controller` is one of version 1, or empty for the only hierarchy of version 2.
    """
    path = _path_of_group(root, controller)
    if path is None:
        return
    for mounted, mount_point in _mounts(root, controller):
        # A container sees its own group as the root of the mount, while the path may be that of the host.
        inside = path.relative_to(mounted) if path.is_relative_to(mounted) else PurePosixPath()
        parts = [part for part in inside.parts if part != "/"]
        if ".." in parts:  # the process was moved out of the part that is mounted here
            parts = []
        for depth in range(len(parts), -1, -1):
            yield root.joinpath(mount_point.lstrip("/"), *parts[:depth])


def whole_cores(allowed: int, quota: float | None) -> int:
    """Returns the core budget: the `allowed` cores, or the quota, rounded down, if it is smaller; at least 1."""
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def quota_warning(allowed: int, quota: float | None) -> str | None:
    """Returns a warning if the quota is smaller than the cores that the CPU affinity allows."""
    if quota is None or quota >= allowed:
        return None
    budget = whole_cores(allowed, quota)
    used = f"{budget} of the {allowed} cores of the CPU affinity {'is' if budget == 1 else 'are'} used"
    if quota < 1:
        effect = ", and the kernel stops it in between; the quota should be 1 core or more"
    else:
        effect = "" if quota == budget else ", and the fraction is not; the quota should be whole cores"
    time = f"{quota:.4g} core{'' if quota == 1 else 's'}"
    return f"a CPU quota limits this process to the time of {time}: {used}{effect}"


def _v2_quota(group: Path) -> float | None:
    """`cpu.max` is `QUOTA PERIOD` in microseconds, or `max PERIOD` (the kernel's cgroup-v2.rst)."""
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _v1_quota(group: Path) -> float | None:
    """A quota of -1 is none (the kernel's sched-bwc.rst)."""
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota and period else None


def _path_of_group(root: Path, controller: str) -> PurePosixPath | None:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return PurePosixPath(path)
    return None


def _mounts(root: Path, controller: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Yields the root and the mount point of each mount of a hierarchy, from mountinfo (proc(5))."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        fields, (kind, *rest) = before.split(), after.split() or [""]
        options = rest[-1].split(",") if rest else []
        wanted = kind == "cgroup" and controller in options if controller else kind == "cgroup2"
        if wanted and len(fields) > 4:
            yield PurePosixPath(_unescaped(fields[3])), _unescaped(fields[4])


def _unescaped(field: str) -> str:
    """Spaces and backslashes, as in the names of systemd's slices, are octal there."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
