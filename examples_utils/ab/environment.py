"""The virtual environment of a revision whose dependencies differ from those of the user's checkout."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from examples_utils.ab.dependencies import extras_in_use, read_project
from examples_utils.execution.process import STDERR, run_process
from examples_utils.planning.interpreter import Interpreter
from examples_utils.problems import RequestError
from examples_utils.redaction.redactor import Redactor
from examples_utils.redaction.secret_values import secret_values
from examples_utils.results.file_tail import tail


def build_environment(
    python: Interpreter,
    checkout: Path,
    requirement_files: Sequence[Path],
    folder: Path,
    log_folder: Path,
    check_interruption: Callable[[], None],
    called: str,
) -> None:
    """Builds `folder` as an environment with the checkout's dependencies; the output is in `log_folder`.

    The project is installed as `pip install -e` does, with the extras that `python` has, then its
    `requirements.txt` and the requirement files of its entries.

    Raises:
        RequestError: It cannot be built; `called` is the revision's name in the message.
        Interrupted: The run was asked to stop.
    """
    executable = str(folder / "bin" / "python3")
    if python.is_runner:
        # The runner's own pip does it: installing another one there would take longer than everything else.
        make: tuple[str, ...] = (sys.executable, "-m", "venv", "--without-pip", "--clear", str(folder))
        pip: tuple[str, ...] = (sys.executable, "-m", "pip", "--python", executable)
    else:
        make, pip = (str(python.executable), "-m", "venv", "--clear", str(folder)), (executable, "-m", "pip")
    steps = [make]
    if arguments := _pip_arguments(python, checkout, requirement_files):
        steps.append((*pip, "install", "--disable-pip-version-check", *arguments))
    redactor = Redactor(secret_values(os.environ.items()))
    for number, argv in enumerate(steps, 1):
        output = log_folder / f"{number:02}"
        output.mkdir(parents=True, exist_ok=True)

        def watch() -> bool:
            check_interruption()
            return False

        outcome = run_process(argv, checkout, os.environ, output, None, watch, redactor)
        if outcome.exitcode:
            last_line = tail(output / STDERR, 600).strip().splitlines()[-1:]
            raise RequestError(
                f"{called}: its dependencies differ from those of this checkout, and an environment with them could "
                f"not be built ({' '.join(last_line) or f'exit code {outcome.exitcode}'}; log in {output})"
            )


def _pip_arguments(python: Interpreter, checkout: Path, requirement_files: Sequence[Path]) -> Sequence[str]:
    arguments: list[str] = []
    project = read_project(checkout)
    if "project" in project or "build-system" in project or (checkout / "setup.py").is_file():
        extras = extras_in_use(project, python.import_path)
        arguments += ["-e", f".[{','.join(extras)}]" if extras else "."]
    if (checkout / "requirements.txt").is_file():
        arguments += ["-r", "requirements.txt"]
    for file in requirement_files:
        arguments += ["-r", str(file)]
    return arguments
