"""Preparation of an entry, once before it is timed: packages to install, commands to run."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from examples_utils.console import Console
from examples_utils.execution.process import STDERR, run_process
from examples_utils.planning.command import preparation_words
from examples_utils.planning.folder_names import safe_name
from examples_utils.planning.hosts import Hosts
from examples_utils.planning.plan import PlannedVariant
from examples_utils.results.file_tail import tail


@dataclass(frozen=True)
class _Step:
    """Two entries share a step if its `key` is equal."""

    key: tuple[str, ...]
    title: str
    argv: tuple[str, ...]
    folder: Path


@dataclass
class Preparation:
    """Runs each step once per run, logged under `preparation` of the log folder."""

    log_folder: Path
    console: Console
    check_interruption: Callable[[], None]
    requirements_file: Path | None = None
    hosts: Hosts | None = None
    virtual_environment: str | None = None
    _outcomes: dict[tuple[str, ...], str | None] = field(default_factory=dict)

    def prepare(self, planned: PlannedVariant) -> str | None:
        """Runs the steps that the variant's entry still needs. Returns the reason if it cannot run, else None."""
        try:
            for step in self._steps(planned):
                if step.key not in self._outcomes:
                    self._outcomes[step.key] = self._run(step, planned)
                if problem := self._outcomes[step.key]:
                    return problem
        except _CannotPrepare as error:
            return str(error)
        return None

    def _steps(self, planned: PlannedVariant) -> Iterator[_Step]:
        benchmark = planned.benchmark
        requirements = self.requirements_file or benchmark.requirements_file
        if requirements:
            yield _pip_step(requirements, self.virtual_environment)
        if benchmark.apt_packages_file:
            yield from _apt_step(benchmark.apt_packages_file)
        environment = {**os.environ, **dict(planned.command.env)}
        for text in benchmark.pre_run_commands:
            argv = (
                ("/bin/sh", "-c", text)
                if benchmark.shell
                else preparation_words(text, benchmark, environment)
            )
            key = ("pre_run", str(benchmark.spec_folder), text)
            yield _Step(key, text, argv, benchmark.folder)
        if self.hosts:
            for host, argv in self.hosts.copies(planned):
                yield _Step(("copy", *argv), f"copy to {host}", argv, benchmark.folder)

    def _run(self, step: _Step, planned: PlannedVariant) -> str | None:
        self.console.info(f"preparing {planned.benchmark.name}: {step.title}")
        folder = (
            self.log_folder / "preparation" / f"{len(self._outcomes) + 1:02}_{safe_name(step.title[:40])}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "command").write_text(shlex.join(step.argv) + "\n", encoding="utf-8")
        environment = {**os.environ, **dict(planned.command.env)}
        outcome = run_process(step.argv, step.folder, environment, folder, None, self._watch)
        if not outcome.exitcode:
            return None
        last_lines = tail(folder / STDERR, 600).strip().splitlines()[-3:]
        details = f": {' | '.join(last_lines)}" if last_lines else ""
        return (
            f"its preparation failed ({step.title}; exit code {outcome.exitcode}; log in {folder}){details}"
        )

    def _watch(self) -> bool:
        self.check_interruption()
        return False


class _CannotPrepare(Exception):
    """The step cannot be created; the message gives the reason."""


def pip_words(virtual_environment: str | None) -> tuple[str, ...]:
    """Returns the runner's pip, for its own environment or for the one in this folder."""
    pip = (sys.executable, "-m", "pip")
    return (*pip, "--python", virtual_environment) if virtual_environment else pip


def _pip_step(requirements: Path, virtual_environment: str | None) -> _Step:
    if not requirements.is_file():
        raise _CannotPrepare(f"its requirements file {requirements} does not exist")
    argv = (
        *pip_words(virtual_environment),
        "install",
        "--disable-pip-version-check",
        "-r",
        str(requirements),
    )
    return _Step(("pip", str(requirements)), f"pip install -r {requirements.name}", argv, requirements.parent)


def _apt_step(listing: Path) -> Iterator[_Step]:
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise _CannotPrepare(f"its list of apt packages {listing} cannot be read: {error.strerror}") from None
    packages = [word for line in lines for word in line.partition("#")[0].split()]
    missing = [package for package in packages if not _is_installed(package)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise _CannotPrepare(
            f"it needs the packages {' '.join(missing)}, and there is no apt-get to install them"
        )
    yield _Step(
        ("apt", *missing), f"apt-get install {' '.join(missing)}", _apt_words(missing), listing.parent
    )


def _apt_words(packages: Sequence[str]) -> tuple[str, ...]:
    as_root = () if os.geteuid() == 0 else ("sudo", "-n")
    return (*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--", *packages)


def _is_installed(package: str) -> bool:
    import subprocess

    query = ["dpkg-query", "--show", "--showformat=${Status}", package]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.strip() == "install ok installed"
