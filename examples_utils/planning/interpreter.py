"""The Python that commands run with: that of `--python`, of the activated environment, or the runner's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from examples_utils.problems import RequestError

_FACTS = (
    "import json, sys; print(json.dumps([sys.executable, sys.prefix, sys.version_info[:3], sys.path[1:]]))"
)
_HAS_MODULE = """import sys
sys.path[:] = [entry for entry in sys.path if entry]
from importlib.util import find_spec
sys.exit(find_spec(sys.argv[1]) is None)"""
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Interpreter:
    """A Python, and the option or variable that chose it. `prefix` is the folder of its environment or installation.

    `made_from` is set if it belongs to an environment that `--prepare` makes, which may not exist yet.
    """

    executable: Path
    prefix: Path
    chosen_by: str
    is_runner: bool = False
    made_from: Interpreter | None = None
    remark: str | None = None

    @property
    def programs(self) -> Path:
        """The folder of its programs, for `PATH`."""
        return self.executable.parent

    @property
    def version(self) -> tuple[int, ...]:
        """Its version; an environment that does not exist yet has that of the interpreter it is made from."""
        if self.is_runner:
            return tuple(sys.version_info[:3])
        if self.made_from and not self.executable.exists():
            return self.made_from.version
        return _facts(self.executable).version

    @property
    def import_path(self) -> tuple[str, ...]:
        """The folders from which it imports, without `PYTHONPATH`; empty if it does not exist yet."""
        if self.is_runner:
            return tuple(sys.path)
        return _facts(self.executable).import_path if self.executable.exists() else ()

    def has_module(self, name: str, environment: Mapping[str, str]) -> bool:
        """Whether it can import the module; for an environment that is not yet made, whether that may become so."""
        first = name.partition(".")[0]  # looking up a.b would import a
        if self.is_runner:
            return _runner_finds(first)
        return not self.executable.exists() or _finds(self.executable, first, environment)

    def described(self) -> dict[str, str]:
        """Returns its facts for a record."""
        version = ".".join(map(str, self.version))
        return {"executable": str(self.executable), "version": version, "chosen_by": self.chosen_by}


def chosen_interpreter(given: str | None, environment: Mapping[str, str]) -> Interpreter:
    """Returns the Python of the commands; `given` is what `--python` names.

    Raises:
        RequestError: `given` is no Python, or one that `python3` in a command would not start.
    """
    if given:
        return _given(given)
    remarks: list[str] = []
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := environment.get(variable):
            if executable := _python_of(Path(folder)):
                prefix = Path(folder).absolute()
                return Interpreter(executable, prefix, variable, _is_runner(prefix), remark=_joined(remarks))
            remarks.append(f"{variable}={folder}: contains no Python, and is not used")
    return Interpreter(
        Path(sys.executable), Path(sys.prefix), "runner", is_runner=True, remark=_joined(remarks)
    )


def prepared_interpreter(base: Interpreter, folder: str) -> Interpreter:
    """Returns the Python of the environment that `--prepare` makes in `folder` from `base`, or made there before.

    Raises:
        RequestError: The folder contains something else, or an environment with another Python.
    """
    path = Path(folder)
    if path.exists() and not (path / "pyvenv.cfg").is_file() and (not path.is_dir() or any(path.iterdir())):
        raise RequestError(
            f"--prepare-venv {folder}: exists and is no virtual environment; name a new or empty folder"
        )
    if _is_runner(path) or _is_inside_runner(path):
        raise RequestError(
            f"--prepare-venv {folder}: is the runner's own environment or inside it, into which nothing is installed; "
            "name another folder"
        )
    prepared = Interpreter(path / "bin" / "python3", path, "--prepare", made_from=base)
    if prepared.version[:2] != base.version[:2]:
        here, wanted = (".".join(map(str, python.version)) for python in (prepared, base))
        raise RequestError(
            f"--prepare-venv {folder}: is an environment with Python {here}, and the commands run with {wanted} "
            f"({base.executable}); name another folder, or pass --python {folder} without --prepare-venv"
        )
    return prepared


def _given(given: str) -> Interpreter:
    path = Path(given)
    executable = _python_of(path) if path.is_dir() else path if path.exists() else None
    if executable is None and os.sep not in given and (found := shutil.which(given)):
        executable = Path(found)
    if executable is None:
        problem = "contains no bin/python3" if path.is_dir() else "no such file"
        raise RequestError(
            f"--python {given}: {problem}; name an interpreter or the folder of an environment"
        )
    facts = _facts(executable.absolute())  # not what links lead to: those of an environment lead out of it
    interpreter = Interpreter(
        facts.executable, facts.prefix, "--python", _is_runner(facts.prefix, facts.version)
    )
    started = shutil.which("python3", path=str(interpreter.programs))
    if not started or _facts(Path(started)).version != facts.version:
        raise RequestError(
            f"--python {given}: python3 in its folder, which commands would start, is "
            f"{'another version' if started else 'missing'}; make an environment with "
            f"{facts.executable} -m venv DIR, and pass --python DIR"
        )
    return interpreter


def _python_of(folder: Path) -> Path | None:
    candidates = [folder.absolute() / "bin" / name for name in ("python3", "python")]
    return next((file for file in candidates if os.access(file, os.X_OK)), None)


def _is_runner(prefix: Path, version: tuple[int, ...] | None = None) -> bool:
    same_version = version is None or version == tuple(sys.version_info[:3])
    return same_version and prefix.resolve() == Path(sys.prefix).resolve()


def _is_inside_runner(folder: Path) -> bool:
    """Whether it is in the runner's virtual environment; conda keeps its environments inside another one."""
    own = Path(sys.prefix).resolve()
    return (own / "pyvenv.cfg").is_file() and folder.resolve().is_relative_to(own)


def _joined(remarks: list[str]) -> str | None:
    return "; ".join(remarks) or None


@dataclass(frozen=True)
class _Facts:
    executable: Path
    prefix: Path
    version: tuple[int, ...]
    import_path: tuple[str, ...]


@cache
def _facts(executable: Path) -> _Facts:
    command = [str(executable), "-E", "-c", _FACTS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
        found, prefix, version, import_path = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
        raise RequestError(
            f"{executable}: cannot be run as a Python ({reason}); choose another with --python"
        ) from None
    return _Facts(Path(found), Path(prefix), tuple(version), tuple(import_path))


def _runner_finds(module: str) -> bool:
    """Whether the runner can import it; not from the working folder, in which `python3 -m` also looks."""
    here = os.path.realpath(os.curdir)
    path = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
    return any(
        finder.find_spec(module, path if finder is PathFinder else None) is not None
        for finder in sys.meta_path
    )


def _finds(executable: Path, module: str, environment: Mapping[str, str]) -> bool:
    command = [str(executable), "-c", _HAS_MODULE, module]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
