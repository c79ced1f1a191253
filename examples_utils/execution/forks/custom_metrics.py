"""Computes the metrics of `--custom-metrics-files` in processes of their own: they are programs of the user."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark_parsers.custom import CustomMetric, compute_custom_metric
from examples_utils.execution.forks.forked_process import ForkedProcess
from examples_utils.results.exit_status import exit_text

LIMIT_S = 60.0
"""How long one function may take for one variant."""


def computed_apart(
    function: CustomMetric, stdout: Path, stderr: Path, exitcode: int, check_interruption: Callable[[], None]
) -> tuple[dict[str, Any] | None, str | None]:
    """Returns the metric's dictionary, or None and the reason, whatever the function does.

    Raises:
        Interrupted: The run was asked to stop; the process has been ended.
    """
    process = ForkedProcess(lambda: compute_custom_metric(function, _text(stdout), _text(stderr), exitcode))
    answer = None
    try:
        answer = process.answer(time.monotonic() + LIMIT_S, check_interruption)
    finally:
        code = process.end()
    if answer:
        computed: tuple[dict[str, Any] | None, str | None] = pickle.loads(answer)
        return computed
    if answer is None:
        return None, f"it took more than {LIMIT_S:g} s"
    return None, f"its process {exit_text(code)}" if code else "it ended its process"


def _text(file: Path) -> str:
    # A command may have put a FIFO or a device in the place of its output.
    return file.read_text("utf-8", "replace") if file.is_file() else ""
