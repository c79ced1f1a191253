"""The selection of benchmarks, and how their commands run, from parsed arguments."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from examples_utils.planning.options import CommandOptions, Selection


def selection_of(parsed: argparse.Namespace) -> Selection:
    """Returns the selection that the arguments of `arguments.selection.add_selection` make."""
    return Selection(
        specs=tuple(str(Path(name).absolute()) for name in parsed.spec),
        benchmarks=tuple(parsed.benchmark),
        tags=tuple(parsed.tag),
        exclude_tags=tuple(parsed.exclude_tag),
        include_convergence=parsed.include_convergence,
        strict=parsed.strict,
    )


def command_options(parsed: argparse.Namespace, log_dir: str) -> CommandOptions:
    """Returns what the arguments of `arguments.python.add_python` and `--timeout` make."""
    return CommandOptions(
        timeout_s=parsed.timeout,
        python=_interpreter(parsed.python),
        prepare=parsed.prepare,
        prepare_venv=parsed.prepare_venv and str(Path(parsed.prepare_venv).absolute()),
        venv_beside_log=f"{Path(log_dir).absolute()}-venv",
    )


def _interpreter(path: str | None) -> str | None:
    """Returns the path for a run that may be resumed from elsewhere; a program's name is looked up on PATH."""
    is_name = path is not None and os.sep not in path and not Path(path).exists()
    return path if path is None or is_name else str(Path(path).absolute())
