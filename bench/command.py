"""Commands to be timed, with their bytecode already cached, and whole runs of the driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable,)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")


def run_command(command: Sequence[str], folder: Path | None = None) -> None:
    """Runs it with bytecode caching, whatever the environment sets. Raises `CalledProcessError` if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True, env=environment)


def seconds(action: Callable[[], object]) -> float:
    """How long the action takes."""
    begun_s = time.perf_counter()
    action()
    return time.perf_counter() - begun_s


def run_driver(flags: Sequence[str], launcher: Sequence[str] = PYTHON) -> subprocess.CompletedProcess[str]:
    """A whole run of the driver, with what it printed. Raises `CalledProcessError` if it fails."""
    # torchrun sets this variable itself, which is part of what is measured.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [*launcher, "run_benchmark.py", *flags]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)


def throughput_of_run(flags: Sequence[str], launcher: Sequence[str] = PYTHON) -> float:
    """The throughput that such a run reports, in samples per second."""
    return float(re.findall(r"throughput: *(.*?) samples\/sec", run_driver(flags, launcher).stdout)[0])
