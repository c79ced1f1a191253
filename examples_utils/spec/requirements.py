"""An entry's requirements, and which of them this machine lacks."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from examples_utils.machine.cgroup import cpu_quota
from examples_utils.machine.fingerprint import allowed_cpus, cores
from examples_utils.machine.hardware import memory_bytes

_COMPARISON = re.compile(r"\s*([\w.+-]+)\s*>=\s*([^\s_]+)\s*")  # Python would take 1_0 for ten
_NAME = re.compile(r"[\w.+-]+")
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _bytes(text: str) -> float:
    if not (match := re.fullmatch(r"([\d.]+)\s*([A-Za-z]*)", text)) or match[2].upper() not in _BYTES:
        raise ValueError(text)
    return float(match[1]) * _BYTES[match[2].upper()]


_AMOUNTS: dict[str, Callable[[str], object]] = {"python": _version, "cores": int, "memory": _bytes}


def explain_bad_requirement(requirement: str) -> str | None:
    """Returns why a requirement is malformed, or None if it is valid."""
    if not (comparison := _COMPARISON.fullmatch(requirement)):
        if _NAME.fullmatch(requirement.strip()):
            return None
        return f"{requirement!r} is not a requirement: write a name, or python>=3.11, cores>=4, memory>=16GiB"
    what, least = comparison.groups()
    if what not in _AMOUNTS:
        return f"only python, cores and memory can be compared with >=; got {requirement!r}"
    try:
        _AMOUNTS[what](least)
    except ValueError:
        return f"{least!r} is not an amount; write it as in python>=3.11, cores>=4, memory>=16GiB"
    return None


def missing_requirements(
    requires: Sequence[str],
    environment: Mapping[str, str],
    python_version: tuple[int, ...],
    has_module: Callable[[str], bool],
) -> list[str]:
    """Returns the missing requirements, each as a reason; empty if the entry can run here.

    `environment` is that of the command: programs are searched on its PATH. `python_version` and `has_module` are
    those of its Python.
    """
    found = [
        _missing(requirement.strip(), environment, python_version, has_module) for requirement in requires
    ]
    return [reason for reason in found if reason]


def _missing(
    requirement: str,
    environment: Mapping[str, str],
    python_version: tuple[int, ...],
    has_module: Callable[[str], bool],
) -> str | None:
    comparison = _COMPARISON.fullmatch(requirement)
    if comparison:
        return _too_little(requirement, comparison[1], comparison[2], python_version)
    path = environment.get("PATH", os.defpath)
    if requirement == "ipu":
        return None if shutil.which("gc-info", path=path) else "requires an IPU (no gc-info on PATH)"
    if requirement == "cuda":
        return None if _has_cuda(path) else "requires a CUDA device (no NVIDIA driver or GPU found)"
    if requirement == "tritonserver":  # the package's own is not on PATH
        found = shutil.which(requirement, path=path) or has_module("pytriton")
        return (
            None
            if found
            else "requires tritonserver (none on PATH, and no nvidia-pytriton: make setup-triton)"
        )
    if shutil.which(requirement, path=path) or has_module(requirement):
        return None
    return f"requires {requirement} (no such program on PATH and no such Python module)"


def _too_little(requirement: str, what: str, least: str, python_version: tuple[int, ...]) -> str | None:
    if what == "python":
        here = ".".join(map(str, python_version))
        return None if python_version >= _version(least) else f"requires {requirement} (this is {here})"
    if what == "cores":
        return None if cores() >= int(least) else f"requires {requirement} ({_cores_here()})"
    memory = memory_bytes()
    if memory is None:
        return f"requires {requirement} (the memory of this machine is unknown)"
    if memory >= _bytes(least):
        return None
    return f"requires {requirement} (this process can have {memory / 2**30:.1f}GiB)"


def _cores_here() -> str:
    quota = cpu_quota()
    of_quota = "" if quota is None or quota >= len(allowed_cpus()) else f", by its CPU quota of {quota:.4g}"
    return f"this process may use {cores()}{of_quota}"


def _has_cuda(path: str) -> bool:
    gpus = Path("/proc/driver/nvidia/gpus")
    if gpus.is_dir() and any(gpus.iterdir()):
        return True
    if not (program := shutil.which("nvidia-smi", path=path)):
        return False
    import subprocess

    listing = subprocess.run([program, "-L"], capture_output=True, timeout=30, check=False)
    return listing.returncode == 0 and b"GPU" in listing.stdout
