"""The accelerators of this machine."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from examples_utils.machine.kernel_files import text_of

_NVIDIA = "proc/driver/nvidia"


def gpu_facts(root: Path = Path("/")) -> dict[str, Any]:
    """Returns the names of the accelerators, and of NVIDIA's GPUs the power limits in watts and the driver.

    `root` contains `proc` and `dev`. Only nvidia-smi knows power limits, and only of this machine.
    """
    listed = _by_nvidia_smi() if root == Path("/") else []
    names = [name for name, *_ in listed] or _by_kernel(root)
    return {
        "accelerators": names + ["Graphcore IPU"] * len(list((root / "dev").glob("ipu[0-9]*"))),
        "accelerator_power_limits_w": [_watts(limit) for _, _, limit in listed] or None,
        "drivers": {"nvidia": version} if (version := _driver(root, listed)) else {},
    }


def _by_nvidia_smi() -> list[list[str]]:
    """Returns name, driver version and power limit of each GPU; nothing without the program, or if it fails."""
    if not (program := shutil.which("nvidia-smi")):
        return []
    query = [program, "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    return [row for row in rows if len(row) == 3]


def _by_kernel(root: Path) -> list[str]:
    found = []
    for file in sorted((root / _NVIDIA / "gpus").glob("*/information")):
        if match := re.search(r"^Model:\s*(.+)$", text_of(file), re.MULTILINE):
            found.append(match[1].strip())
    return found


def _driver(root: Path, listed: list[list[str]]) -> str | None:
    match = re.search(r"Kernel Module\D*(\d+(?:\.\d+)+)", text_of(root / _NVIDIA / "version"))
    return match[1] if match else next((version for _, version, _ in listed), None)


def _watts(text: str) -> float | None:
    """`[N/A]` is what nvidia-smi prints of a GPU without a limit."""
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
