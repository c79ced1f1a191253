"""A workplace with a spec, in which the runner's real command line runs real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples_utils.cli import main
from tests.examples_utils.ab.git_project import SPEC, GitProject

FIGURES = """
  data:
    throughput: {regexp: 'throughput: *(.*?) samples\\/sec'}
    latency: {regexp: 'latency: *(.*?) ms'}
  output: [[samples/sec, throughput], [latency(ms), latency]]
"""


@dataclass(frozen=True)
class Done:
    """What a run left behind."""

    exitcode: int
    out: str
    err: str
    log: Path

    @property
    def results(self) -> dict[str, list[dict[str, Any]]]:
        return json.loads((self.log / "benchmark_results.json").read_text())

    @property
    def by_variant(self) -> dict[str, dict[str, Any]]:
        return {record["variant_name"]: record for records in self.results.values() for record in records}


class Workplace:
    """A folder with `benchmarks.yml`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.log = folder / "log"

    def spec(self, text: str, name: str = "benchmarks.yml") -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def script(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    def command(self, *arguments: str) -> Done:
        """Runs a command line of the runner in this process."""
        self._capsys.readouterr()
        try:
            exitcode = main(arguments)
        except SystemExit as stop:
            exitcode = int(stop.code or 0)
        captured = self._capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Done(exitcode, captured.out, captured.err, self.log)

    def benchmark(self, *arguments: str) -> Done:
        return self.command("benchmark", "--log-dir", str(self.log), *arguments)

    def start(
        self, *arguments: str, runner: Sequence[str] = ("-m", "examples_utils"), **environment: str
    ) -> subprocess.Popen[str]:
        """Starts the runner as a process of its own, for signals."""
        return subprocess.Popen(
            [sys.executable, *runner, "benchmark", "--log-dir", str(self.log), *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def workplace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workplace:
    monkeypatch.chdir(tmp_path)
    for variable in ("DATASETS_DIR", "VIRTUAL_ENV", "CONDA_PREFIX"):  # of the shell that runs the tests
        monkeypatch.delenv(variable, raising=False)
    # What one run registers would be there in all later ones of this process.
    monkeypatch.setattr("benchmark_parsers.custom._REGISTERED", {})
    return Workplace(tmp_path, capsys)


@pytest.fixture
def project(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> GitProject:
    """The workplace as a git repository with one benchmark of 100 samples/sec; ab's files are outside of it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(workplace.folder.parent / f"{workplace.folder.name}-cache"))
    project = GitProject(workplace.folder)
    project.write("benchmarks.yml", SPEC)
    project.write(".gitignore", "/log/\n/data/\n__pycache__/\n")
    project.speed("100.0")
    project.commit("First")
    return project
