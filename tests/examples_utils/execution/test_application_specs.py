"""Specs of Graphcore applications run next to the runner, and never change its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.examples_utils.environments import (
    contents,
    site_packages,
    wheel,
    with_all_packages,
)
from tests.examples_utils.execution.test_preparation import write_notebook
from tests.patience import HANG_S

REQUIREMENTS = """examples-utils @ git+https://example.invalid/examples-utils@v1
-r more.txt
"""
SPEC = """
a_gen:
  requirements_path: requirements.txt
  required_apt_packages_path: required_apt_packages.txt
  pre_run_commands: [cd remap, . ./settings, "echo $OP > built", cd .., "test -f remap/built"]
  cmd: python3 show.py {n}
  parameters: {n: '1,2'}
notebook_gen:
  location: ../notebooks
  notebook: hello.ipynb
  data: {throughput: {regexp: 'throughput: (.*?) samples/sec'}}
hosts_gen:
  cmd: poprun --host $HOSTS --num-instances 2 python3 show.py 3
"""
SHOW = """import sys
try:
    import thing
except ModuleNotFoundError:
    thing = None
print(sys.argv[1:], thing and thing.NAME, open('../remap/built').read() if thing else '')
"""


@dataclass(frozen=True)
class Application:
    """A checkout of an application, and a runner in an environment of its own."""

    folder: Path
    runner: Path

    def benchmark(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.runner / "bin/python3", "-m", "examples_utils", "benchmark", "--log-dir", "log"]
        environment = {
            name: value for name, value in os.environ.items() if name not in ("HOSTS", "VIRTUAL_ENV")
        }
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder / "app/train",
            env=environment | {"PIP_NO_INDEX": "1"},
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )

    @property
    def records(self) -> dict[str, dict[str, Any]]:
        results = json.loads((self.folder / "app/train/log/benchmark_results.json").read_text())
        return {record["variant_name"]: record for records in results.values() for record in records}

    def printed(self, variant: str) -> str:
        return Path(self.records[variant]["log_paths"]["out"]).read_text().strip()


@pytest.fixture
def application(tmp_path: Path) -> Application:
    folder = tmp_path / "checkout"
    for name in (".git", "app/train", "app/remap", "app/notebooks"):
        (folder / name).mkdir(parents=True)
    thing = wheel(folder, "thing", "NAME = 'installed'\n")
    (folder / "app/requirements.txt").write_text(REQUIREMENTS)
    (folder / "app/more.txt").write_text(f"thing @ {thing.as_uri()}\nexamples_utils==0.1\n")
    (folder / "app/remap/settings").write_text("OP=remapped\n")
    (folder / "app/train/show.py").write_text(SHOW)
    (folder / "app/train/benchmarks.yml").write_text(SPEC)
    write_notebook(folder / "app/notebooks/hello.ipynb", "print('throughput: 12.5 samples/sec')")
    return Application(folder, with_all_packages(tmp_path / "runner"))


@pytest.mark.processes
def test_without_prepare_nothing_is_prepared_and_one_line_lists_what_was_left_alone(application):
    before = contents(application.runner)
    done = application.benchmark("--benchmark", "a_gen")
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if "--prepare" in line]
    assert line == (
        "warning: nothing is prepared without --prepare; left alone: requirements_path of a_gen; "
        "required_apt_packages_path of a_gen; pre_run_commands of a_gen"
    )
    assert application.printed("a_gen_n_1") == "['1'] None"
    assert not (application.folder / "app/remap/built").exists()
    assert contents(application.runner) == before


@pytest.mark.processes
def test_prepare_makes_an_environment_beside_the_log_folder_and_leaves_the_runners_alone(application):
    before = contents(application.runner)
    done = application.benchmark("--benchmark", "a_gen", "--prepare")
    assert done.returncode == 0, done.stdout
    made = application.folder / "app/train/log-venv"
    assert application.printed("a_gen_n_2") == "['2'] installed remapped"
    record = application.records["a_gen_n_1"]
    assert record["python"]["chosen_by"] == "--prepare"
    assert record["python"]["executable"] == f"{made}/bin/python3"
    assert (
        "examples-utils @ git+https://example.invalid/examples-utils@v1; examples_utils==0.1: not"
        in done.stdout
    )
    assert "required_apt_packages.txt does not exist in" in done.stdout
    assert not list(site_packages(made).glob("examples_utils*"))
    assert contents(application.runner) == before


@pytest.mark.processes
def test_a_dry_run_shows_the_preparation_and_does_nothing(application):
    before = contents(application.folder)
    printed = application.benchmark(
        "--benchmark", "a_gen", "--prepare", "--prepare-venv", "venv", "--dry-run"
    ).stdout
    steps = (
        f"# python3 is {application.folder}/app/train/venv/bin/python3 (--prepare)\n",
        f"-m venv {application.folder}/app/train/venv\n",
        "examples_utils==0.1: not installed",
        f"    cd {application.folder}/app\n",
        "-m pip install",
        "cd remap\n",
    )
    positions = [printed.index(step) for step in steps]
    assert positions == sorted(positions)
    assert printed.count("-m pip install") == 1
    assert contents(application.folder) == before
    both = application.benchmark("--prepare", "--dry-run").stdout
    assert both.count("-m pip install --disable-pip-version-check nbclient nbformat ipykernel\n") == 1
    unprepared = application.benchmark("--benchmark", "a_gen", "--dry-run").stdout
    assert unprepared.startswith(
        "# nothing is prepared without --prepare; left alone: requirements_path of a_gen"
    )


@pytest.mark.processes
def test_a_spec_with_all_traps_runs_to_a_result_and_leaves_the_runners_environment_alone(application):
    """Requirements that name the runner's distribution, a cd, a notebook under a location, and $HOSTS unset."""
    before = contents(application.runner)
    venv = with_all_packages(
        application.folder.parent / "venv"
    )  # of the notebook's packages no wheels are here
    done = application.benchmark("--prepare", "--prepare-venv", str(venv))
    records = application.records
    assert done.returncode == 1, done.stdout
    assert {name: record["status"] for name, record in records.items()} == {
        "a_gen_n_1": "passed",
        "a_gen_n_2": "passed",
        "notebook_gen": "passed",
        "hosts_gen": "failed",
    }, done.stdout
    assert application.printed("a_gen_n_1") == "['1'] installed remapped"
    assert records["notebook_gen"]["results"]["throughput"] == {"mean": 12.5}
    assert "HOSTS" in records["hosts_gen"]["reason"]
    assert contents(application.runner) == before


@pytest.mark.processes
def test_what_the_commands_of_a_preparation_install_does_not_reach_the_runner(application):
    before = contents(application.runner)
    thing = next(application.folder.glob("thing-*.whl"))
    (application.folder / "app/train/own.yml").write_text(
        f"a_gen: {{pre_run_commands: [python3 -m pip install {thing}], cmd: python3 -c 'import thing'}}\n"
    )
    done = application.benchmark("--spec", "own.yml", "--prepare")
    assert done.returncode == 0, done.stdout
    assert list(site_packages(application.folder / "app/train/log-venv").glob("thing"))
    assert contents(application.runner) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--prepare-venv", "new"), "--prepare-venv {folder}/new: is made by --prepare; give that, too"),
        (
            ("--prepare", "--prepare-venv", "."),
            "--prepare-venv {folder}: exists and is no virtual environment",
        ),
        (("--prepare", "--prepare-venv", sys.prefix), "is the runner's own environment"),
        pytest.param(
            ("--prepare", "--prepare-venv", f"{sys.prefix}/inside"),
            "is the runner's own environment or inside it",
            marks=pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment"),
        ),
    ],
)
def test_an_environment_that_cannot_be_made_is_refused(workplace, arguments, message):
    workplace.spec("a: {cmd: echo a}\n")
    refused = workplace.benchmark(*arguments)
    assert refused.exitcode == 2
    assert message.format(folder=workplace.folder) in refused.err
