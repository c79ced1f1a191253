"""Runs the canary before the variants of a run, in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from examples_utils.console import Console
from examples_utils.execution.process import STDOUT, run_process
from examples_utils.problems import RequestError

KERNELS = ("compute_s", "memory_s")
# A hundred times the usual time: on a machine that slow, benchmarks are the least problem.
_TIMEOUT_S = 60.0


def refuse_without_numpy() -> None:
    """Raises RequestError if the canary's library is not installed."""
    if find_spec("numpy") is None:
        raise RequestError(
            "--canary: needs NumPy, which is not installed: pip install -e '.[history]', or "
            "leave the option out"
        )


@dataclass(frozen=True)
class CanaryProcess:
    """The canary of one run; its output is in `canary` of the log folder until it runs again."""

    log_folder: Path
    console: Console
    check_interruption: Callable[[], None]

    def measure(self) -> dict[str, float]:
        """Returns the seconds of one pass of each kernel; empty, with a warning, if the measurement failed.

        Raises:
            Interrupted: The run was asked to stop.
        """
        folder = self.log_folder / "canary"
        folder.mkdir(exist_ok=True)
        argv = (sys.executable, "-m", "examples_utils.canary")
        packages = Path(__file__).resolve().parents[2]  # -m imports from the current folder of the process
        outcome = run_process(argv, packages, os.environ, folder, _TIMEOUT_S, self._watch)
        try:
            printed = json.loads((folder / STDOUT).read_text("utf-8", "replace"))
            seconds = {kernel: float(printed[kernel]) for kernel in KERNELS}
        except (ValueError, KeyError, TypeError):
            self.console.warning(
                f"the canary returned no times (exit code {outcome.exitcode}; log in {folder}), so a slower "
                f"machine and slower code cannot be distinguished"
            )
            return {}
        self.console.info(f"    {canary_line(seconds)}")
        return seconds

    def _watch(self) -> bool:
        self.check_interruption()
        return False


def canary_line(seconds: dict[str, float]) -> str:
    """Returns the times as text."""
    kernels = ", ".join(
        f"{kernel.removesuffix('_s')} {value * 1e3:.2f} ms" for kernel, value in seconds.items()
    )
    return f"canary: {kernels}"
