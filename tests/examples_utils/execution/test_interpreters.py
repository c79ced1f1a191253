"""Which Python commands run with, and that nothing of the runner's own reaches them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import examples_utils
from tests.examples_utils.environments import ORIGINAL, install, make_environment
from tests.patience import HANG_S

WHICH = "import os, sys; print(sys.prefix, sys.version_info[:2], os.environ.get('VIRTUAL_ENV'))\n"
SPEC = "a: {cmd: python3 which.py}\n"
ROOT = Path(examples_utils.__file__).parents[1]


@pytest.fixture
def which(workplace):
    """`which(*arguments)`: what a command prints of its Python, and the record's `python`."""
    workplace.spec(SPEC)
    workplace.script("which.py", WHICH)

    def run(*arguments: str) -> tuple[str, dict[str, str]]:
        done = workplace.benchmark(*arguments)
        assert done.exitcode == 0, done.err + done.out
        record = done.by_variant["a"]
        return Path(record["log_paths"]["out"]).read_text().strip(), record["python"]

    return run


@pytest.fixture
def environments(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("environments")
    return make_environment(folder / "one"), make_environment(folder / "two")


def another_version() -> str:
    """A Python of another version than the runner's, or the test is skipped."""
    here = sys.version_info[:2]
    names = [f"python3.{minor}" for minor in range(8, 16) if (3, minor) != here]
    versions = Path.home() / ".pyenv" / "versions"
    candidates = [
        *map(shutil.which, names),
        *(str(file) for n in names for file in versions.glob(f"*/bin/{n}")),
    ]
    for python in filter(None, candidates):
        started = subprocess.run([python, "-c", "import venv"], capture_output=True, check=False)
        if started.returncode == 0:
            return python
    pytest.skip("there is no Python of another version on PATH or in ~/.pyenv/versions")


def test_without_a_choice_commands_run_with_the_runners_own(which):
    printed, recorded = which()
    assert printed.startswith(f"{sys.prefix} ")
    assert recorded["chosen_by"] == "runner"
    assert recorded["version"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_activated_environment_comes_before_the_runners_own(which, environments, monkeypatch, variable):
    one, _ = environments
    monkeypatch.setenv(variable, str(one))
    printed, recorded = which()
    assert printed.startswith(f"{one} ")
    assert recorded["chosen_by"] == variable
    assert recorded["executable"] == f"{one}/bin/python3"


@pytest.mark.slow
def test_the_option_comes_before_an_activated_environment(which, environments, monkeypatch):
    one, two = environments
    monkeypatch.setenv("VIRTUAL_ENV", str(one))
    for given in (two, two / "bin/python3"):
        printed, recorded = which("--python", str(given))
        assert printed.split()[0] == str(two)
        assert printed.split()[-1] == str(two)
        assert recorded["chosen_by"] == "--python"


def test_an_activated_environment_that_is_gone_is_named(workplace, which, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/gone")
    assert which()[1]["chosen_by"] == "runner"
    assert (
        "VIRTUAL_ENV=/gone: contains no Python, and is not used"
        in (workplace.log / "console.log").read_text()
    )


@pytest.mark.slow
def test_a_python_of_another_version_runs_the_commands(workplace, which, tmp_path_factory):
    python = another_version()
    environment = make_environment(tmp_path_factory.mktemp("other") / "env", python)
    printed, recorded = which("--python", str(environment))
    major, minor, _ = recorded["version"].split(".")
    assert f"({major}, {minor})" in printed
    assert (int(major), int(minor)) != sys.version_info[:2]
    workplace.spec(
        f"a: {{cmd: python3 which.py, requires: ['python>={major}.{minor}', json, os.path]}}\n"
        f"b: {{cmd: 'true', requires: ['python>={major}.{int(minor) + 1}', no_such_module]}}\n"
    )
    reason = workplace.benchmark("--python", str(environment)).by_variant["b"]["reason"]
    assert f"requires python>={major}.{int(minor) + 1} (this is {recorded['version']})" in reason
    assert "no_such_module" in reason


@pytest.mark.slow
def test_an_environment_for_preparation_with_another_version_is_refused(workplace, tmp_path_factory):
    environment = make_environment(tmp_path_factory.mktemp("other") / "env", another_version())
    workplace.spec("a: {cmd: 'true', pre_run_commands: ['true']}\n")
    refused = workplace.benchmark("--prepare", "--prepare-venv", str(environment))
    assert refused.exitcode == 2
    assert f"--prepare-venv {environment}: is an environment with Python" in refused.err
    assert f"pass --python {environment} without --prepare-venv" in refused.err


@pytest.mark.slow
def test_modules_are_required_of_the_chosen_python_and_not_of_the_runners(workplace, environments):
    one, two = environments
    install(one, "the-engine", "VERSION = 1\n")
    workplace.spec("a: {cmd: python3 -c 'import the_engine', requires: [the_engine]}\n")
    assert workplace.benchmark("--python", str(one)).by_variant["a"]["status"] == "passed"
    assert workplace.benchmark("--python", str(two)).by_variant["a"]["status"] == "skipped"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("absent", "--python absent: no such file"),
        (".", "--python {folder}: contains no bin/python3"),
        ("no_python", "no_python: cannot be run as a Python (not this one)"),
    ],
)
def test_what_is_no_python_is_refused(workplace, given, message):
    workplace.spec(SPEC)
    workplace.script("no_python", "#!/bin/sh\necho not this one >&2; exit 1\n").chmod(0o755)
    refused = workplace.benchmark("--python", given)
    assert refused.exitcode == 2
    assert message.format(folder=workplace.folder) in refused.err


@pytest.mark.slow
def test_a_python_that_python3_would_not_start_is_refused_with_the_way_out(workplace, environments):
    one, _ = environments
    (one / "bin/python3").rename(one / "bin/python3.hidden")
    workplace.spec(SPEC)
    refused = workplace.benchmark("--python", str(one / "bin/python3.hidden"))
    assert refused.exitcode == 2
    assert "-m venv DIR, and pass --python DIR" in refused.err


@pytest.mark.processes
def test_an_application_imports_its_own_distribution_of_the_runners_name(workplace, environments):
    """The runner's environment is activated, its checkout is on PYTHONPATH, and the command must not notice."""
    one, _ = environments
    install(one, "examples-utils", ORIGINAL)
    workplace.script(
        "app.py",
        "import os, sys\nfrom examples_utils import load_lib\nprint(load_lib('x'))\n"
        "print([os.environ.get(name) for name in ('PATH', 'PYTHONPATH', 'VIRTUAL_ENV')], sys.path)\n",
    )
    workplace.spec("argv: {cmd: python3 app.py}\nshell: {cmd: python3 app.py | cat, shell: true}\n")
    activated = {
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{workplace.folder}/own",
        "PYTHONHOME": "",
    }
    process = workplace.start("--python", str(one), **activated)
    assert process.wait(timeout=HANG_S) == 0, process.communicate()[0]
    results = json.loads((workplace.log / "benchmark_results.json").read_text())
    for name in ("argv", "shell"):
        printed = Path(results[name][0]["log_paths"]["out"]).read_text()
        assert printed.startswith("the original\n")
        assert f"{workplace.folder}/own" in printed
        assert f"'{one}'" in printed
        for own in (f"{sys.prefix}/", f"{ROOT}:", f"'{sys.prefix}'"):
            assert own not in printed
