"""What an entry needs before it is timed, as commands: an environment, packages, its own commands."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from examples_utils.planning.application import Application, application_of
from examples_utils.planning.interpreter import Interpreter
from examples_utils.planning.plan import PlannedVariant
from examples_utils.planning.requirement_lines import OWN_DISTRIBUTION, requirement_lines

_NOTEBOOK_PACKAGES = ("nbclient", "nbformat", "ipykernel")


class CannotPrepare(Exception):
    """A step cannot be taken; the message gives the reason."""


@dataclass(frozen=True)
class Step:
    """A command to run in `folder`. Two entries share a step if its `key` is equal.

    `requirements` are the lines of a file to pass to it as its last argument. Without `argv`, there is only a remark.
    """

    key: tuple[str, ...]
    title: str
    argv: tuple[str, ...]
    folder: Path
    requirements: str | None = None
    remark: str | None = None

    def text(self) -> str:
        """Returns the command as a shell would read it, with the lines of `requirements` in place of a file."""
        words = shlex.join(self.argv)
        return (
            words if self.requirements is None else f"{words} <(printf '%s' {shlex.quote(self.requirements)})"
        )


def preparation_steps(
    planned: PlannedVariant, interpreter: Interpreter, requirements_file: Path | None
) -> Iterator[Step]:
    """Yields the steps for the entry of a variant, in their order; each may rely on those before it.

    `interpreter` is that of the commands; `requirements_file` replaces the entry's own.

    Raises:
        CannotPrepare: A file is missing or cannot be read, or there is no apt-get.
    """
    benchmark = planned.benchmark
    if interpreter.made_from and not interpreter.executable.exists():
        yield _environment_step(interpreter, interpreter.made_from)
    application = application_of(benchmark)
    if benchmark.apt_packages_file:
        yield from _apt_steps(benchmark.apt_packages_file, application)
    environment = planned.command.environment(os.environ)
    pip = pip_words(interpreter, environment)
    if requirements_file:
        yield _requirements_step(requirements_file, requirements_file.parent, pip)
    elif benchmark.requirements_file:
        if application.requirements is None:
            searched = ", ".join(map(str, application.searched))
            raise CannotPrepare(
                f"its requirements file {benchmark.requirements_file} does not exist in {searched}"
            )
        yield _requirements_step(application.requirements, application.folder, pip)
    if benchmark.notebook and not interpreter.is_runner:
        yield from _notebook_steps(interpreter, environment, application, pip)
    if benchmark.pre_run_commands:
        yield _commands_step(benchmark.pre_run_commands, benchmark.env, application)


def pip_words(interpreter: Interpreter, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the command of its pip, or of the runner's where it has none; `environment` is that of the commands."""
    if interpreter.has_module("pip", environment):
        return (str(interpreter.executable), "-m", "pip")
    return (sys.executable, "-m", "pip", "--python", str(interpreter.executable))


def _environment_step(interpreter: Interpreter, base: Interpreter) -> Step:
    folder = str(interpreter.prefix)
    argv = (str(base.executable), "-m", "venv", folder)
    return Step(("venv", folder), f"make the environment {folder}", argv, Path.cwd())


def _requirements_step(file: Path, folder: Path, pip: Sequence[str]) -> Step:
    try:
        kept, left_out = requirement_lines(file, folder)
    except OSError as error:
        raise CannotPrepare(
            f"its requirements file {error.filename or file} cannot be read: {error.strerror}"
        ) from None
    argv = (*pip, "install", "--disable-pip-version-check", "-r")
    title = f"pip install -r {file.name}"
    if not left_out:
        return Step(("pip", str(file), str(folder)), title, (*argv, str(file)), folder)
    remark = (
        f"{file}: {'; '.join(left_out)}: not installed: the application's {OWN_DISTRIBUTION} is not this one; where "
        "it imports it, install it there, and pass --python"
    )
    text = "".join(f"{line}\n" for line in kept)
    return Step(("pip", str(file), str(folder)), title, argv, folder, text, remark)


def _notebook_steps(
    interpreter: Interpreter, environment: Mapping[str, str], application: Application, pip: Sequence[str]
) -> Iterator[Step]:
    """Yields the installation of what executes a notebook, if the environment lacks it."""
    is_made = interpreter.executable.exists()
    missing = [
        name for name in _NOTEBOOK_PACKAGES if not (is_made and interpreter.has_module(name, environment))
    ]
    if missing:
        title = f"pip install {' '.join(missing)}"
        argv = (*pip, "install", "--disable-pip-version-check", *missing)
        yield Step(("pip", *missing), title, argv, application.folder)


def _commands_step(commands: Sequence[str], env: Sequence[tuple[str, str]], application: Application) -> Step:
    # One shell for all, so that a cd counts for the next; bash, for which existing specs are written.
    shell = shutil.which("bash") or "/bin/sh"
    key = ("pre_run", str(application.folder), *commands, *(f"{name}={value}" for name, value in env))
    return Step(key, "; ".join(commands), (shell, "-e", "-c", "\n".join(commands)), application.folder)


def _apt_steps(name: str, application: Application) -> Iterator[Step]:
    listing = application.apt_packages
    if listing is None:
        # The original reads no such list, so that nobody noticed where one is missing.
        searched = ", ".join(map(str, application.searched))
        remark = (
            f"required_apt_packages_path: {name} does not exist in {searched}; no system package is installed"
        )
        yield Step(("apt", name, searched), name, (), application.folder, remark=remark)
        return
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise CannotPrepare(f"its list of apt packages {listing} cannot be read: {error}") from None
    packages = [word for line in lines for word in line.partition("#")[0].split()]
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise CannotPrepare(
            f"it needs the packages {' '.join(missing)}, and there is no apt-get to install them"
        )
    as_root = () if os.geteuid() == 0 else ("sudo", "-n")
    argv = (*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--", *missing)
    yield Step(("apt", *missing), f"apt-get install {' '.join(missing)}", argv, listing.parent)


def _is_installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${Status}", package]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.stdout.strip() == "install ok installed"
