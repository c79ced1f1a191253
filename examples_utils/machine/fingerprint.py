"""The fingerprints of machine and software, which must match for metrics to be comparable."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from examples_utils.machine.cgroup import cpu_quota, whole_cores
from examples_utils.machine.hardware import hardware_facts, software_of_machine

# Engines and libraries whose version affects the measurements of a benchmark.
_ENGINES = ("numpy", "onnx", "onnxruntime", "onnxruntime_gpu", "openvino", "popart", "poptorch", "tensorflow",
            "timm", "torch", "torchvision", "tritonclient")  # fmt: skip
_CPU = Path("/sys/devices/system/cpu")


def machine_fingerprint() -> dict[str, Any]:
    """Returns the facts of this machine, and the versions of its kernel, microcode and drivers. Unknown ones are None.

    Which of them decide whether metrics are comparable: `history.fingerprint.machine_key`.
    """
    return {
        "hostname": platform.node(),
        **hardware_facts(allowed_cpus()),
        "architecture": platform.machine(),
        **software_of_machine(),
    }


def software_fingerprint(
    python: str | None = None, import_path: Sequence[str] | None = None
) -> dict[str, Any]:
    """Returns the interpreter, the engines in its environment, and the Poplar SDK if it is enabled.

    `python` and `import_path` are the version of the commands' Python and the folders from which it imports; by
    default those of the runner's own.
    """
    poplar = os.environ.get("POPLAR_SDK_ENABLED")
    return {
        "python": python or platform.python_version(),
        "packages": _engine_versions(sys.path if import_path is None else import_path),
        # As the original runner: the folder that contains the SDK, which contains Poplar.
        "sdk_path": str(Path(poplar).parent.parent.resolve()) if poplar else None,
        "sdk_version": _sdk_version(poplar),
    }


@cache
def suite_of(spec: Path) -> str:
    """Returns the spec's name in any checkout: its path inside its git checkout, or its file name outside one."""
    checkout = next((folder for folder in spec.parents if (folder / ".git").exists()), spec.parent)
    return spec.relative_to(checkout).as_posix()


def allowed_cpus() -> tuple[int, ...]:
    """Returns the numbers of the CPUs that the affinity of this process allows."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def cores() -> int:
    """Returns the core budget: the cores that this process may use, by its affinity and its CPU quota."""
    return whole_cores(len(allowed_cpus()), cpu_quota())


@cache
def cpu_files(pattern: str) -> tuple[Path, ...]:
    """Returns the kernel's files of this name, one per core. Finding them takes longer than reading them."""
    return tuple(sorted(_CPU.glob(f"cpu[0-9]*/{pattern}")))


def _engine_versions(import_path: Iterable[str]) -> dict[str, str]:
    """Reads the names of the installed packages' folders.

    Importing importlib.metadata would take longer than everything else here together.
    """
    versions: dict[str, str] = {}
    for entry in import_path:
        for folder in Path(entry or ".").glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            if name.lower() in _ENGINES:
                versions.setdefault(name.lower(), version)
    return dict(sorted(versions.items()))


def _sdk_version(poplar: str | None) -> str | None:
    match = re.search(r"(\d+\.\d+\.\d+(?:[+-][\w.+-]*)?)", poplar or "")
    return match[1] if match else None
