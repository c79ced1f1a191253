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

# Engines and libraries whose version affects the measurements of a benchmark.
_ENGINES = ("numpy", "onnx", "onnxruntime", "onnxruntime_gpu", "openvino", "popart", "poptorch", "tensorflow",
            "timm", "torch", "torchvision", "tritonclient")  # fmt: skip
_CPU = Path("/sys/devices/system/cpu")


def machine_fingerprint() -> dict[str, Any]:
    """Returns CPU, memory, accelerators and kernel of this machine. Unknown values are None."""
    return {
        "hostname": platform.node(),
        "cpu": _cpu_model(),
        "cores": cores(),
        "memory_bytes": _memory_bytes(),
        "accelerators": _accelerators(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "governor": governor(),
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


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def governor() -> str | None:
    """Returns the frequency governors in use, or None if the kernel does not report them."""
    found = {text for file in cpu_files("cpufreq/scaling_governor") if (text := _read(file))}
    return ",".join(sorted(found)) or None


@cache
def cpu_files(pattern: str) -> tuple[Path, ...]:
    """Returns the kernel's files of this name, one per core. Finding them takes longer than reading them."""
    return tuple(sorted(_CPU.glob(f"cpu[0-9]*/{pattern}")))


def _cpu_model() -> str:
    match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")) or "", re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _accelerators() -> list[str]:
    gpus = [
        match[1].strip()
        for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        if (match := re.search(r"^Model:\s*(.+)$", _read(file) or "", re.MULTILINE))
    ]
    return gpus + ["Graphcore IPU"] * len(list(Path("/dev").glob("ipu[0-9]*")))


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


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return None
