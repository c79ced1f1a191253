"""`history changes`: the nights of lasting changes, with the commits and the size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples_utils.history.store import open_history
from tests.examples_utils.stored_nights import MACHINE, NAMES, night

STEP, NIGHTS = 18, 30


@pytest.fixture
def changes(workplace):
    """`changes(*arguments)`: the command on thirty nights, in the eighteenth of which model1 became 10% slower."""
    with open_history("history.db", create=True) as history:
        for number in range(NIGHTS):
            history.add(night(number, {"model1": 0.9 if number >= STEP else 1.0}))

    def command(*arguments):
        return workplace.command("history", "changes", *arguments)

    return command


@pytest.mark.slow
def test_a_step_is_told_with_its_commits_and_size(changes):
    done = changes("--metric", "throughput", "--format", "json")
    assert done.exitcode == 0
    (change,) = json.loads(done.out)
    assert (change["benchmark"], change["variant"]) == ("model1", "model1_batch_8")
    assert change["better"] is False
    page = (Path(__file__).parents[3] / "docs/comparison.md").read_text()
    assert [key for key in change if f"`{key}`" not in page] == []
    assert change["low"] < 0.9 < change["high"]
    assert change["low"] < change["ratio"] < change["high"]
    assert int(change["after_commit"], 16) < STEP <= int(change["up_to_commit"], 16)
    assert change["last_before"]["started_utc"] < change["first_after"]["started_utc"]
    assert change["first_after"]["run_id"] == night(int(change["up_to_commit"], 16)).run_id


@pytest.mark.slow
def test_a_table_shows_it_and_of_all_metrics_none_of_the_other_benchmarks(changes):
    done = changes()
    assert done.out.startswith("h: 2 changes in 30 runs on branch main\n")
    rows = [line for line in done.out.splitlines() if line.startswith("| 2026")]
    assert len(rows) == 2
    assert all("model1_batch_8" in row and "worse" in row for row in rows)
    assert {row.split("|")[4].strip() for row in rows} == {"throughput", "latency"}


@pytest.mark.slow
def test_what_is_not_asked_for_is_left_out(changes):
    assert "no changes in 30 runs" in changes("--benchmark", "model[2-5]").out
    assert "1 change in 30 runs" in changes("--benchmark", "model1*", "--metric", "latency").out


@pytest.mark.slow
def test_each_machine_is_looked_at_by_itself(changes):
    with open_history("history.db") as history:
        for number in range(NIGHTS):
            other = night(
                100 + number, dict.fromkeys(NAMES, 3.0), machine={**MACHINE, "cores": 64, "hostname": "big"}
            )
            history.add(other)
    done = changes("--metric", "throughput")
    assert "big: no changes in 30 runs" in done.out
    assert "h: 1 change in 30 runs" in done.out


@pytest.mark.slow
def test_runs_of_other_branches_in_between_are_no_steps(changes):
    with open_history("history.db") as history:
        for number in range(5, 12):
            slow = night(
                number, dict.fromkeys(NAMES, 0.5), branch="experiment", run_id=f"{number:08x}cdcdcdcd"
            )
            history.add(slow)
    assert "h: 1 change in 30 runs on branch main" in changes("--metric", "throughput").out
    assert "7 runs on branch experiment" in changes("--branch", "experiment").out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--benchmark", "modle1"], "--benchmark modle1: no such benchmark; did you mean model1"),
        (["--metric", "troughput"], "--metric troughput: no such metric; did you mean throughput"),
        (["--branch", "dev"], "changes: history.db has no run of branch dev"),
        (["--suite", "other.yml"], "has no run of suite other.yml"),
        (["--history", "other.db"], "other.db"),
        (["--threshold", "2"], "write 2% if that is meant"),
        (["--format", "csv"], "invalid choice: 'csv'"),
    ],
)
def test_a_wrong_request_is_refused_with_what_is_there(changes, arguments, reported):
    done = changes(*arguments)
    assert done.exitcode == 2
    assert reported in done.err


@pytest.mark.slow
def test_a_newest_run_of_no_branch_does_not_mix_the_branches(changes):
    with open_history("history.db") as history:
        for number in range(5, 12):
            history.add(
                night(number, dict.fromkeys(NAMES, 0.5), branch="experiment", run_id=f"{number:08x}cdcd")
            )
        history.add(night(NIGHTS + 1, branch=None, commit=None))
    assert "h: 1 change in 30 runs on branch main" in changes("--metric", "throughput").out
