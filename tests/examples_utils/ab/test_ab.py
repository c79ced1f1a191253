"""Two revisions, run alternately: what is compared, what is refused, and that nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from examples_utils.ab.interleaved_runs import BASE, NEW, interleaved
from examples_utils.run_model import VariantKey
from tests.comparison_runs import COMPARISON_SCHEMA
from tests.examples_utils.ab.comparisons import ab, left_behind
from tests.patience import HANG_S

pytestmark = pytest.mark.processes


def start(project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples_utils", "ab", "--log-dir", "log", *arguments],
        cwd=project.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(stream, text: str) -> None:
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"ended without {text}")


def test_an_uncommitted_change_that_is_slower_is_called_and_exits_with_1(workplace, project):
    project.speed("90.0")
    done = ab(workplace, "--base", "HEAD", "--repeat", "5")
    assert done.exitcode == 1
    assert "1 regressed" in done.out
    assert "First, with changes)" in done.out
    assert left_behind(project) == []
    assert project.git("status", "--porcelain") == "M work.py"


def test_what_slows_down_all_benchmarks_at_once_is_the_code_s_as_the_machine_is_the_same(workplace, project):
    spec = (project.folder / "benchmarks.yml").read_text()
    project.write("benchmarks.yml", "".join(spec.replace("quick", f"quick{number}") for number in range(6)))
    project.commit("Six benchmarks")
    project.speed("80.0")
    done = ab(workplace, "--base", "HEAD", "--repeat", "4")
    assert "6 regressed" in done.out
    assert "canary" not in done.out


def test_the_same_code_on_both_sides_is_no_regression(workplace, project):
    project.commit("Nothing")
    done = ab(workplace, "--base", "HEAD~1", "--new", "main", "--repeat", "5")
    assert done.exitcode == 0
    assert "regressed" not in done.out
    assert left_behind(project) == []
    assert project.git("status", "--porcelain") == ""
    assert project.git("symbolic-ref", "--short", "HEAD") == "main"


def test_the_output_of_both_sides_is_kept_and_can_be_compared_again(workplace, project):
    project.speed("90.0")
    project.commit("Slower")
    ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--repeat", "5")
    for arm in ("base", "new"):
        records = json.loads((workplace.log / arm / "benchmark_results.json").read_text())["quick"]
        assert [len(record["repetitions"]) for record in records] == [5]
        assert (workplace.log / arm / "quick/repetition_5/stdout.log").read_text().startswith("throughput")
    again = workplace.command("compare", str(workplace.log / "base"), str(workplace.log / "new"))
    assert again.exitcode == 1
    assert "1 regressed" in again.out


def test_a_benchmark_that_fails_on_the_new_side_exits_with_1(workplace, project):
    project.speed("1 / 0")
    done = ab(workplace, "--base", "HEAD", "--repeat", "2")
    assert done.exitcode == 1
    assert "1 failed" in done.out


def test_a_benchmark_that_fails_on_the_side_of_the_base_exits_with_1(workplace, project):
    project.speed("1 / 0")
    project.git("commit", "--quiet", "--all", "--message", "Broken")
    project.speed("100.0")
    done = ab(workplace, "--base", "HEAD", "--repeat", "2")
    assert done.exitcode == 1
    assert "new" in done.out


@given(
    st.sets(st.sampled_from("abcde")), st.sets(st.sampled_from("abcde")), st.integers(1, 6), st.integers(0, 5)
)
def test_both_sides_run_right_after_each_other_and_take_the_lead_in_turn(base, new, rounds, before):
    def plan(names):
        return [SimpleNamespace(key=VariantKey("s.yml", "b", name)) for name in sorted(names)]

    turns = [
        (number, planned.key.variant, arm)
        for arm, (planned, number) in interleaved(
            plan(base), plan(new), range(before + 1, before + rounds + 1)
        )
    ]
    for number in range(before + 1, before + rounds + 1):
        lead = [BASE, NEW] if number % 2 else [NEW, BASE]
        for name in base | new:
            wanted = [arm for arm in lead if name in (base, new)[arm]]
            places = [index for index, (n, variant, _) in enumerate(turns) if (n, variant) == (number, name)]
            assert [turns[index][2] for index in places] == wanted
            assert places == list(range(places[0], places[0] + len(wanted)))
    assert len(turns) == rounds * (len(base) + len(new))


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--base", "mian"], "--base mian: no such revision in"),
        (["--base", "mian"], "did you mean main?"),
        (["--base", "--all"], "--base"),
        (["--base", "HEAD", "--new", "HEAD~7"], "--new HEAD~7: no such revision"),
        (["--base", "HEAD", "--benchmark", "qick"], "--base HEAD: --benchmark qick: no such benchmark; did you mean"),
        (["--base", "HEAD", "--spec", "other.yml"], "--base HEAD: --spec other.yml: no such file; did you mean"),
        (["--base", "HEAD", "--spec", "/dev/null"], "is not in a git checkout"),
        (["--base", "HEAD", "--format", "json"], "also give --output FILE"),
        (["--base", "HEAD", "--format", "json", "--all", "--output", "x"], "--all: --format json shows all metrics"),
        (["--base", "HEAD", "--output", "nowhere/x"], "--output nowhere/x: there is no folder nowhere"),
        (["--base", "HEAD", "--share", "nothing"], "--share nothing: there is no such file or folder"),
        (["--base", "HEAD", "--share", "/tmp"], "--share /tmp: is not in the checkout"),
        (["--base", "HEAD", "--share", "work.py"], "--share work.py: is part of the commit"),
        (["--base", "HEAD", "--repeat", "0"], "whole number from 1"),
        (["--base", "HEAD", "--threshold", "2"], "write 2% if that is meant"),
        ([], "the following arguments are required: --base"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_remedy_and_leaves_nothing(workplace, project, arguments, reported):
    done = ab(workplace, *arguments)
    assert done.exitcode == 2
    assert reported in done.err
    assert left_behind(project) == []


def test_a_revision_without_the_spec_or_without_the_benchmark_is_refused_by_name(workplace, project):
    project.write("more.yml", "other: {cmd: echo 1}\n")
    project.commit("More")
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD", "--spec", "more.yml")
    assert done.exitcode == 2
    assert "--base HEAD~1: --spec more.yml: no such file" in done.err
    project.write("benchmarks.yml", "renamed: {cmd: echo 1}\n")
    done = ab(workplace, "--base", "HEAD", "--benchmark", "renamed")
    assert done.exitcode == 2
    assert "--base HEAD: --benchmark renamed: no such benchmark" in done.err
    assert left_behind(project) == []


def test_a_broken_spec_of_a_revision_is_told_with_its_place(workplace, project):
    project.write("benchmarks.yml", "quick: {cmd: [x]}\n")
    project.commit("Broken")
    done = ab(workplace, "--base", "HEAD~1", "--new", "HEAD")
    assert done.exitcode == 2
    assert "--new HEAD: benchmarks.yml:1:14: error: quick.cmd" in done.err


@pytest.mark.parametrize("entry", ["{cmd: echo 1, requires: [no_such_program]}", "{cmd: echo $DATASETS_DIR}"])
def test_a_benchmark_that_cannot_run_on_this_machine_is_refused(workplace, project, entry):
    project.write("benchmarks.yml", f"quick: {entry}\n")
    done = ab(workplace, "--base", "HEAD", "--new", ".")
    assert done.exitcode == 2
    assert "--new .: no benchmark can run" in done.err


def test_outside_of_git_it_is_refused(workplace, tmp_path):
    workplace.spec("a: {cmd: echo 1}\n")
    done = ab(workplace, "--base", "HEAD")
    assert done.exitcode == 2
    assert "is not in a git checkout" in done.err


def test_ctrl_c_leaves_no_checkout_and_keeps_what_was_measured(project):
    running = start(project, "--base", "HEAD", "--repeat", "500")
    wait_for(running.stdout, "[3/1000]")
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=HANG_S)
    assert running.returncode == 130
    assert "stopped by SIGINT; results so far are in" in out
    assert left_behind(project) == []
    assert json.loads((project.folder / "log/base/benchmark_results.json").read_text())["quick"]


def measuring(parent: psutil.Process) -> list[psutil.Process]:
    """The children that run the benchmark's program; others, such as git, may end while they are looked at."""
    found = []
    for child in parent.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, too
            if "work.py" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_what_a_killed_process_left_is_removed_at_the_next_start_with_the_commands_that_still_run(
    workplace, project
):
    project.speed("__import__('time').sleep(600)")
    project.commit("Endless")
    project.speed("100.0")
    running = start(project, "--base", "HEAD", "--repeat", "2")
    wait_for(running.stdout, "[1/4]")
    while not (children := measuring(psutil.Process(running.pid))):
        time.sleep(0.01)
    running.kill()
    running.communicate()
    assert len(project.worktrees) == 2
    project.git("worktree", "lock", project.worktrees[1])
    assert children[0].is_running()
    done = ab(workplace, "--base", "HEAD~1", "--new", ".", "--repeat", "1")
    assert done.exitcode == 0
    assert left_behind(project) == []
    assert not psutil.pid_exists(children[0].pid) or children[0].status() == psutil.STATUS_ZOMBIE


def test_the_checkouts_of_a_process_that_runs_are_left_alone(workplace, project):
    project.speed("__import__('time').sleep(600)")
    project.commit("Endless")
    project.speed("100.0")
    running = start(project, "--base", "HEAD", "--repeat", "2")
    try:
        wait_for(running.stdout, "[1/4]")
        done = workplace.command("ab", "--log-dir", "log2", "--base", "HEAD~1", "--repeat", "1")
        assert done.exitcode == 0
        assert len(project.worktrees) == 2
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=HANG_S)
    assert left_behind(project) == []


def test_shared_data_is_there_for_both_sides_and_outlives_the_checkouts(workplace, project):
    project.speed("float(open('data/figure').read())")
    project.commit("Reads data")
    data = project.write("data/figure", "100")
    without = ab(workplace, "--base", "HEAD", "--new", "main", "--repeat", "1")
    assert without.exitcode == 1
    shared = ab(workplace, "--base", "HEAD", "--new", "main", "--repeat", "2", "--share", "data")
    assert shared.exitcode == 0, shared.out
    assert data.read_text() == "100"


def test_a_hook_of_git_does_not_lead_it_to_another_repository(workplace, project, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere/.git")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert ab(workplace, "--base", "HEAD", "--repeat", "1").exitcode == 0
    monkeypatch.undo()


def test_hooks_of_the_repository_are_not_run_by_checkouts(workplace, project):
    hook = project.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch {project.folder}/ran\n")
    hook.chmod(0o755)
    assert ab(workplace, "--base", "HEAD", "--repeat", "1").exitcode == 0
    assert not (project.folder / "ran").exists()


def test_submodules_are_checked_out_as_well(workplace, project, monkeypatch, tmp_path_factory):
    from tests.examples_utils.ab.git_project import GitProject

    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "file")
    library = GitProject(tmp_path_factory.mktemp("library"))
    library.write("figure", "100")
    library.commit("Figure")
    project.git("submodule", "add", "-q", str(library.folder), "library")
    project.speed("float(open('library/figure').read())")
    project.commit("With a submodule")
    done = ab(workplace, "--base", "HEAD", "--repeat", "1")
    assert "1 failed" not in done.out
    assert "base: quick::quick" in done.out
    assert done.exitcode == 0


def test_the_comparison_is_written_in_the_format_that_is_asked_for(workplace, project):
    done = ab(workplace, "--base", "HEAD", "--repeat", "2", "--format", "json", "--output", "c.json")
    assert done.exitcode == 0
    document = json.loads((project.folder / "c.json").read_text())
    Draft202012Validator(COMPARISON_SCHEMA).validate(document)
    assert document["base"].startswith("HEAD (")
    assert "written to c.json" in done.out
    assert (workplace.log / "comparison.json").read_text() == (project.folder / "c.json").read_text()


def test_a_spec_in_a_folder_and_by_a_link_is_found_in_the_checkouts(workplace, project, tmp_path_factory):
    project.write("sub/s.yml", "a: {cmd: 'echo 1'}\n")
    project.commit("Sub")
    link = tmp_path_factory.mktemp("links") / "project"
    link.symlink_to(project.folder)
    done = ab(
        workplace, "--base", "HEAD", "--new", "main", "--repeat", "1", "--spec", str(link / "sub/*.yml")
    )
    assert done.exitcode == 3
    assert "warning: nothing could be compared: neither side has a metric\n" in done.err
    assert "base: a::a" in done.out


def test_a_cache_folder_that_cannot_be_written_is_refused(workplace, project, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    done = ab(workplace, "--base", "HEAD")
    assert done.exitcode == 2
    assert "set XDG_CACHE_HOME to a writable folder" in done.err


def test_a_user_without_a_home_folder_is_refused(workplace, project, monkeypatch):
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    done = ab(workplace, "--base", "HEAD")
    assert done.exitcode == 2
    assert "set XDG_CACHE_HOME to a writable folder" in done.err
