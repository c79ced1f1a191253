"""What is done once before an entry is timed, on stand-ins for apt-get, rsync and ssh where they are needed."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path

import pytest

from examples_utils import execution
from examples_utils.planning.options import CommandOptions, Selection
from examples_utils.planning.plan import make_plan
from tests.examples_utils.conftest import FIGURES
from tests.examples_utils.environments import make_environment, with_all_packages


@pytest.fixture
def stand_ins(workplace, monkeypatch):
    """A folder of programs that comes first on the PATH; each notes the words that it was called with."""
    folder = workplace.folder / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(name: str, body: str = "") -> Path:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {workplace.folder}/calls\n{body}\n')
        program.chmod(0o755)
        return program

    return make


def calls(workplace) -> list[str]:
    file = workplace.folder / "calls"
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def prepared(workplace):
    """`prepared(*arguments)` runs the spec with `--prepare` in an environment that is not the runner's."""
    environment = make_environment(workplace.folder.parent / "environment")
    return lambda *arguments: workplace.benchmark("--prepare", "--python", str(environment), *arguments)


@pytest.mark.slow
def test_pre_run_commands_run_once_for_an_application_before_timing(workplace, prepared):
    workplace.spec(
        "x_options: &x {pre_run_commands: ['sh note.sh $WHO'], env: {WHO: me}}\n"
        "a: {<<: *x, cmd: 'cat noted', parameters: {n: '1,2'}}\nb: {<<: *x, cmd: cat noted}\n"
    )
    workplace.script("note.sh", "echo $1 >> noted; echo said\n")
    done = prepared()
    assert done.exitcode == 0
    assert (workplace.folder / "noted").read_text() == "me\n"
    log = next((done.log / "preparation").iterdir())
    assert (log / "stdout.log").read_text() == "said\n"


@pytest.mark.slow
def test_pre_run_commands_are_what_bash_reads_whatever_their_quotes(workplace, prepared):
    workplace.spec(
        'a:\n  cmd: cat noted\n  pre_run_commands: ["# isn\'t a quote", "echo \'one", "two\' > noted"]\n'
    )
    assert prepared().by_variant["a"]["status"] == "passed"
    assert (workplace.folder / "noted").read_text() == "one\ntwo\n"


@pytest.mark.slow
def test_a_failed_pre_run_command_fails_its_entry_and_no_other(workplace, prepared):
    workplace.spec(
        "a: {cmd: touch ran, pre_run_commands: ['sh -c \"echo broken >&2; exit 4\"']}\nb: {cmd: echo b}\n"
    )
    done = prepared()
    assert done.by_variant["a"]["status"] == "failed"
    assert "exit code 4" in done.by_variant["a"]["reason"]
    assert "broken" in done.by_variant["a"]["reason"]
    assert done.by_variant["b"]["status"] == "passed"
    assert not (workplace.folder / "ran").exists()


@pytest.mark.processes
def test_requirements_are_installed_once_and_a_missing_file_fails_the_entry(workplace, prepared):
    # pip itself runs: an empty requirements file needs no network.
    workplace.script("requirements.txt", "# nothing\n")
    workplace.spec(
        "a: {cmd: echo a, requirements_path: requirements.txt}\nb: {cmd: echo b, requirements_file: requirements.txt}\n"
        "c: {cmd: echo c, requirements_file: absent.txt}\n"
    )
    done = prepared()
    assert [record["status"] for record in done.by_variant.values()] == ["passed", "passed", "failed"]
    assert f"absent.txt does not exist in {workplace.folder}" in done.by_variant["c"]["reason"]
    assert len(list((done.log / "preparation").iterdir())) == 1


@pytest.mark.processes
def test_the_requirements_file_of_the_command_line_replaces_those_of_the_entries(workplace, prepared):
    workplace.script("mine.txt", "")
    workplace.spec("a: {cmd: echo a, requirements_file: absent.txt}\n")
    done = prepared("--requirements-file", "mine.txt")
    assert done.exitcode == 0
    assert "mine.txt" in next((done.log / "preparation").iterdir()).joinpath("command").read_text()


def test_missing_apt_packages_are_installed_and_present_ones_are_not(workplace, stand_ins, prepared):
    stand_ins("dpkg-query", '[ "$3" = here ] && echo "install ok installed"')
    stand_ins("apt-get")
    stand_ins("sudo", 'shift; exec "$@"')
    workplace.script("apt.txt", "here\nneeded  # for drawing\n")
    workplace.spec("a: {cmd: echo a, required_apt_packages_path: apt.txt}\n")
    assert prepared().exitcode == 0
    assert [call for call in calls(workplace) if call.startswith("apt-get")] == [
        "apt-get install -y -- needed"
    ]


POPRUN = f"d:\n  cmd: poprun --host one,localhost --num-instances 2 python3 x.py{FIGURES}"


@pytest.fixture
def distributed(workplace, stand_ins):
    stand_ins("poprun", "echo 'throughput: 1 samples/sec latency: 1 ms'")
    stand_ins("rsync")
    workplace.spec(POPRUN)
    return workplace


def test_the_folder_of_a_command_is_copied_to_its_hosts_and_removed_after(distributed, stand_ins):
    stand_ins("ssh", 'case "$*" in *" test -e "*) exit 1;; esac')
    assert distributed.benchmark("--remove-dirs-after").exitcode == 0
    folder = str(distributed.folder)
    assert any(
        call.startswith("rsync") and call.endswith(f" -- {folder}/ one:/") for call in calls(distributed)
    )
    assert any(call.startswith("ssh") and "rm -rf" in call and folder in call for call in calls(distributed))
    assert not any("localhost" in call for call in calls(distributed) if call.startswith(("ssh", "rsync")))


# As sshd: joins the words, and has a shell split them. `there/` has this machine's paths of the host.
REMOTE_SHELL = """
while [ "$1" != -- ]; do shift; done
shift 2
cd "{0}/there" && exec sh -c "$(printf '%s' "$*" | sed "s#{0}/#{0}/there/#g")"
"""
REMOTE_COPY = """
for word; do case "$word" in *:/) ;; */) from=$word;; esac; done
to=$(printf '%s' "$from" | sed "s#{0}/#{0}/there/#")
mkdir -p "$to" && cp -r "$from." "$to"
"""


@pytest.mark.parametrize("name", ["my bench", "semi;touch hit", "$(touch hit)", "'quoted", "-rf", "a*"])
@pytest.mark.parametrize("existed", [False, True])
def test_only_the_copy_on_another_host_is_removed_whatever_its_name(
    workplace, stand_ins, name: str, existed: bool
) -> None:
    place = workplace.folder
    stand_ins("poprun", "echo 'throughput: 1 samples/sec latency: 1 ms'")
    stand_ins("ssh", REMOTE_SHELL.format(place))
    stand_ins("rsync", REMOTE_COPY.format(place))
    there = place / "there"
    for kept in (there / "my", there / "sibling", place / name):
        kept.mkdir(parents=True)
    if existed:
        (there / name).mkdir()
        (there / name / "of the user").touch()
    workplace.spec(POPRUN, f"{name}/benchmarks.yml")
    done = workplace.benchmark("--spec", str(place / name / "benchmarks.yml"), "--remove-dirs-after")
    assert done.exitcode == 0
    assert (there / name).exists() == existed
    assert (there / name / "of the user").exists() == existed
    assert (there / "my").is_dir()
    assert (there / "sibling").is_dir()
    assert (place / name / "benchmarks.yml").is_file()
    assert not list(place.rglob("hit"))
    assert ("was there before" in done.out) == existed


def test_a_folder_that_the_host_shares_is_neither_copied_nor_removed(distributed, stand_ins):
    stand_ins("ssh")  # every probe file is there already
    assert distributed.benchmark("--remove-dirs-after").exitcode == 0
    assert not any(call.startswith("rsync") or "rm -rf" in call for call in calls(distributed))


def test_no_code_sync_copies_nothing(distributed, stand_ins):
    stand_ins("ssh")
    assert distributed.benchmark("--no-code-sync").exitcode == 0
    assert not any(call.startswith(("rsync", "ssh")) for call in calls(distributed))


def test_hosts_without_ssh_are_refused_with_the_way_out(distributed, monkeypatch):
    monkeypatch.setenv("PATH", str(distributed.folder / "bin"))
    refused = distributed.benchmark()
    assert refused.exitcode == 2
    assert "--no-code-sync" in refused.err


def write_notebook(file: Path, *cells: str, kernel: dict[str, str] | None = None) -> None:
    code = [{"cell_type": "code", "metadata": {}, "source": cell, "outputs": [], "execution_count": None, "id": f"c{i}"}
            for i, cell in enumerate(cells)]  # fmt: skip
    file.write_text(
        json.dumps(
            {
                "cells": code,
                "metadata": {"kernelspec": kernel} if kernel else {},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


@pytest.mark.processes
def test_a_notebook_is_executed_and_its_output_parsed(workplace):
    write_notebook(
        workplace.folder / "n.ipynb",
        "import os; print('in', os.getcwd())",
        "print('throughput: 4 samples/sec latency: 2 ms')",
    )
    (workplace.folder / "work").mkdir()
    workplace.spec(f"n:\n  notebook: {{file: n.ipynb, working_directory: work, timeout: 120}}{FIGURES}")
    record = workplace.benchmark().by_variant["n"]
    assert record["results"]["throughput"] == {"mean": 4.0}
    assert f"in {workplace.folder}/work" in Path(record["log_paths"]["out"]).read_text()


def test_a_notebook_is_looked_for_and_runs_in_the_location_of_its_entry(workplace):
    for folder in (".specs", "app/work"):
        (workplace.folder / folder).mkdir(parents=True)
    workplace.spec(
        "mapping: {location: ../app, notebook: {file: sub/n.ipynb}}\nname: {location: ../app, notebook: sub/n.ipynb}\n"
        "elsewhere: {location: ../app, notebook: {file: n.ipynb, working_directory: work}}\n"
        "without: {notebook: sub/n.ipynb}\nother_checkout: {location: ../../x, notebook: n.ipynb}\n"
        "filled: {notebook: {file: '{n}.ipynb', working_directory: $W}, parameters: {n: a}, env: {W: /w}}\n",
        ".specs/notebook-tests.yaml",
    )
    plan = make_plan(Selection((".specs/notebook-tests.yaml",)), CommandOptions(), {})
    app, specs = workplace.folder / "app", workplace.folder / ".specs"
    found = {p.benchmark.name: (Path(p.command.argv[-1]), p.command.folder) for p in plan.variants}
    assert found == {
        "mapping": (app / "sub/n.ipynb", app),
        "name": (app / "sub/n.ipynb", app),
        "elsewhere": (app / "n.ipynb", app / "work"),
        "without": (specs / "sub/n.ipynb", specs),
        "other_checkout": (specs / "n.ipynb", specs),
        "filled": (specs / "a.ipynb", Path("/w")),
    }


@pytest.mark.processes
def test_a_notebook_under_a_location_runs(workplace):
    (workplace.folder / ".specs").mkdir()
    (workplace.folder / "app").mkdir()
    write_notebook(
        workplace.folder / "app/n.ipynb",
        "import os; print('in', os.getcwd()); print('throughput: 4 samples/sec latency: 2 ms')",
    )
    workplace.script("app/requirements.txt", "# nothing\n")
    workplace.spec(
        f"n:\n  location: ../app\n  requirements_file: requirements.txt\n  notebook: n.ipynb{FIGURES}",
        ".specs/notebook-tests.yaml",
    )
    record = workplace.benchmark("--spec", ".specs/notebook-tests.yaml").by_variant["n"]
    assert record["results"]["throughput"] == {"mean": 4.0}
    assert f"in {workplace.folder}/app" in Path(record["log_paths"]["out"]).read_text()


@pytest.mark.processes
def test_a_notebook_of_an_environment_that_only_its_author_has_runs_with_the_commands_python(workplace):
    cell = "print('throughput: 4 samples/sec latency: 2 ms')"
    kernel = {"name": "poptorch_venv", "display_name": "x"}
    write_notebook(workplace.folder / "n.ipynb", cell, kernel={**kernel, "language": "python"})
    write_notebook(workplace.folder / "r.ipynb", cell, kernel={**kernel, "language": "R"})
    workplace.spec(f"n:\n  notebook: n.ipynb{FIGURES}\nr: {{notebook: r.ipynb}}\n")
    done = workplace.benchmark("--quiet")
    assert done.by_variant["n"]["results"]["throughput"] == {"mean": 4.0}
    printed = Path(done.by_variant["n"]["log_paths"]["err"]).read_text()
    assert "the kernel poptorch_venv is not installed; using python3" in printed
    assert "No such kernel named poptorch_venv" in done.by_variant["r"]["reason"]


@pytest.mark.processes
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file or directory"),
        ("{", "Notebook does not appear to be JSON"),
        ("[]", "its JSON is not that of a notebook"),
    ],
)
def test_what_is_no_notebook_is_the_reason_of_its_entry(workplace, text, reason):
    if text is not None:
        workplace.script("n.ipynb", text)
    workplace.spec("n: {notebook: n.ipynb}\n")
    record = workplace.benchmark("--quiet").by_variant["n"]
    assert reason in record["reason"]
    assert "Traceback" not in Path(record["log_paths"]["err"]).read_text()


def test_the_program_that_runs_notebooks_is_understood_by_the_oldest_python_of_an_sdk():
    program = Path(execution.__file__).with_name("notebook.py").read_text()
    ast.parse(program, feature_version=(3, 6))
    assert "import annotations" not in program.replace("`from __future__ import annotations`", "")


@pytest.mark.processes
def test_a_notebook_whose_cell_fails_has_failed_and_one_that_installs_runs_twice(workplace):
    write_notebook(workplace.folder / "bad.ipynb", "1 / 0")
    write_notebook(
        workplace.folder / "installs.ipynb",
        "%pip install --quiet --disable-pip-version-check --no-index pip",
        "open('passes', 'a').write('x'); print('throughput: 4 samples/sec latency: 2 ms')",
    )
    workplace.spec(f"bad: {{notebook: bad.ipynb}}\ninstalls:\n  notebook: installs.ipynb{FIGURES}")
    environment = with_all_packages(workplace.folder.parent / "environment")
    done = workplace.benchmark("--quiet", "--python", str(environment))
    assert done.by_variant["bad"]["exitcode"] == 1
    assert "ZeroDivisionError" in Path(done.by_variant["bad"]["log_paths"]["err"]).read_text()
    assert done.by_variant["installs"]["status"] == "passed"
    assert done.by_variant["installs"]["matches"]["throughput"] == 1
    assert (workplace.folder / "passes").read_text() == "xx"


@pytest.mark.processes
def test_a_notebook_that_installs_packages_does_not_run_in_the_runners_own_environment(workplace):
    for name, cell in (("line", "%pip install absent"), ("shell", "  !python3 -m pip install absent")):
        write_notebook(workplace.folder / f"{name}.ipynb", f"open('ran', 'w')\n{cell}")
    workplace.spec("a: {notebook: '{n}.ipynb', parameters: {n: [line, shell]}}\n")
    for record in workplace.benchmark("--quiet").by_variant.values():
        assert "its cells install packages" in record["reason"]
        assert "--python DIR, or pass --prepare" in record["reason"]
    assert not (workplace.folder / "ran").exists()
    prepared = workplace.benchmark("--prepare", "--dry-run").out
    assert f"-m venv {workplace.log}-venv" in prepared
    assert "--refuse-installation" not in prepared


@pytest.mark.slow
def test_the_monitor_samples_the_machine_and_draws_it(workplace):
    workplace.spec("a: {cmd: sleep 0.2}\n")
    done = workplace.benchmark("--gc-monitor")
    samples = [json.loads(line) for line in (done.log / "system-monitor.jsonl").read_text().splitlines()]
    assert len(samples) >= 2
    assert 0 < samples[0]["memory_percent"] < 100
    assert (done.log / "system-monitor.png").read_bytes().startswith(b"\x89PNG")


def test_the_monitor_needs_no_matplotlib_and_reports_that_it_draws_nothing(workplace, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    workplace.spec("a: {cmd: echo a}\n")
    done = workplace.benchmark("--gc-monitor")
    assert done.exitcode == 0
    assert "no plot is drawn" in done.out
    assert (done.log / "system-monitor.jsonl").read_text().count("cpu_percent") >= 2
    assert not (done.log / "system-monitor.png").exists()


def test_the_monitor_asks_the_devices_where_there_are_some(workplace, stand_ins):
    stand_ins("gc-monitor", "echo '{\"cards\": []}'")
    workplace.spec("a: {cmd: echo a}\n")
    done = workplace.benchmark("--gc-monitor")
    sample = json.loads((done.log / "ipu-monitor.jsonl").read_text().splitlines()[0])
    assert sample["gc_monitor"] == {"cards": []}
    assert "gc-monitor --json" in calls(workplace)
