"""The variables that make a command run with the chosen Python, and keep the runner's own out of its way."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from examples_utils.planning.interpreter import Interpreter

_PACKAGE = Path(__file__).parents[1]


def interpreter_variables(interpreter: Interpreter, outer: Mapping[str, str]) -> dict[str, str | None]:
    """Returns what must differ from `outer`; None stands for a variable that must not be set.

    With a Python that is not the runner's own, nothing of the runner's environment or checkout stays in `PATH`,
    `PYTHONPATH` and `VIRTUAL_ENV`, so that an application imports its own `examples_utils`.
    """
    wanted: dict[str, str | None] = {
        "PATH": _path(interpreter, outer.get("PATH", os.defpath)),
        "VIRTUAL_ENV": _virtual_environment(interpreter),
    }
    if not interpreter.is_runner:
        wanted["PYTHONPATH"] = _without_runner(outer.get("PYTHONPATH", ""))
        wanted["PYTHONHOME"] = None  # of the runner's installation; other versions would not start with it
        if _is_own(outer.get("CONDA_PREFIX", "")):
            wanted["CONDA_PREFIX"] = None
    return {name: value for name, value in wanted.items() if value != outer.get(name)}


def is_environment(prefix: Path) -> bool:
    """Whether it is an environment, of venv or conda, whose programs are not those of the system."""
    return (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir()


def _path(interpreter: Interpreter, path: str) -> str:
    entries = path.split(os.pathsep)
    if not interpreter.is_runner and is_environment(Path(sys.prefix)):
        entries = [entry for entry in entries if not _is_own(str(Path(entry).parent)) or not entry]
    if not _starts(interpreter, os.pathsep.join(entries)):
        entries = [str(interpreter.programs), *entries]
    return os.pathsep.join(entries)


def _starts(interpreter: Interpreter, path: str) -> bool:
    """Whether `python3` and `python` on this path are the interpreter's."""
    programs = interpreter.programs
    names = [name for name in ("python3", "python") if (programs / name).exists()]
    found = [shutil.which(name, path=path) for name in names]
    return bool(names) and all(file and Path(file).parent.resolve() == programs.resolve() for file in found)


def _virtual_environment(interpreter: Interpreter) -> str | None:
    is_virtual = interpreter.made_from or (interpreter.prefix / "pyvenv.cfg").is_file()
    return str(interpreter.prefix) if is_virtual else None


def _without_runner(import_path: str) -> str | None:
    entries = import_path.split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if not (entry and _holds_runner(Path(entry)))) or None


def _holds_runner(folder: Path) -> bool:
    if is_environment(Path(sys.prefix)) and folder.resolve().is_relative_to(Path(sys.prefix).resolve()):
        return True
    return (folder / _PACKAGE.name).resolve() == _PACKAGE.resolve()


def _is_own(folder: str) -> bool:
    return bool(folder) and Path(folder).resolve() == Path(sys.prefix).resolve()
