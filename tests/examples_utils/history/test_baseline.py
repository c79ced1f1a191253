"""Which runs of a history are nights to compare with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples_utils.comparison.text import baseline_line
from examples_utils.history.baseline import Baseline, Tonight, choose, read_baseline
from examples_utils.history.store import RunSummary, open_history
from tests.examples_utils.nightly.nights import SUITE, earlier_night

TONIGHT = Tonight("here", frozenset({"s"}), "main", dirty=False, machine={"cores": 64, "kernel": "6.1"})
GOOD = RunSummary(
    "0", "", "", "h", "here", "c", False, "main", ("s",), passed=1, failed=0, skipped=0, not_run=0
)


def numbered(*changes: dict[str, object]) -> list[RunSummary]:
    """Newest first: run 0 is the newest."""
    return [replace(GOOD, run_id=str(number), **change) for number, change in enumerate(changes)]  # type: ignore[arg-type]


def test_the_last_nights_count_and_are_the_oldest_first():
    assert choose(numbered({}, {}, {}), TONIGHT, 2) == (["1", "0"], ())


def test_what_is_of_another_machine_or_branch_or_code_or_failed_does_not_count_and_is_counted():
    summaries = numbered(
        {"machine_key": "there", "machine": {"cores": 8, "kernel": "6.1"}},
        {"branch": "other"},
        {"dirty": True},
        {"passed": 0},
        {},
        {"passed": 0},
    )
    assert choose(summaries, TONIGHT, 9) == (
        ["4"],
        (
            "1 of another machine (cores 8 there, 64 here)",
            "1 of another branch",
            "1 with changed files",
            "2 in which nothing passed",
        ),
    )


def test_runs_of_other_suites_are_no_nights_at_all():
    assert choose(numbered({"suites": ("t",)}, {"suites": ("s", "t")}), TONIGHT, 9) == (["1"], ())


def test_a_night_in_which_some_benchmarks_failed_counts_for_the_others():
    assert choose(numbered({"failed": 7}), TONIGHT, 9) == (["0"], ())


def test_where_no_branch_is_known_any_counts():
    assert choose(numbered({"branch": None}), TONIGHT, 9)[0] == ["0"]
    assert choose(numbered({"branch": "other"}), replace(TONIGHT, branch=None), 9)[0] == ["0"]


def test_a_night_with_changed_files_is_compared_with_any():
    assert choose(numbered({"dirty": True}, {}), replace(TONIGHT, dirty=True), 9)[0] == ["1", "0"]


def test_a_baseline_shows_its_length_and_what_it_lacks():
    nights = tuple(earlier_night(days_ago, {"a": 1}) for days_ago in (3, 2))
    first, last = (night.started_utc[:10] for night in nights)
    assert baseline_line(Baseline(nights, 2)) == f"baseline: 2 nights, {first} to {last}"
    assert baseline_line(Baseline(nights[:1], 1)) == f"baseline: 1 night, {first}"
    assert baseline_line(Baseline(nights, 16)).endswith("; fewer than the usual 16")
    assert baseline_line(Baseline((), 16, ("3 of another machine",))).endswith(
        "; omitted: 3 of another machine"
    )


def test_runs_of_a_few_benchmarks_are_no_nights_where_there_are_enough_whole_ones():
    tonight = replace(TONIGHT, variants=10)
    summaries = numbered(
        {"passed": 10}, {"passed": 1}, {"passed": 1}, {"passed": 6}, {"passed": 3}, {"passed": 10}
    )
    assert choose(summaries, tonight, 3)[0] == ["5", "3", "0"]
    assert choose(summaries, tonight, 5)[0] == ["5", "4", "3", "1", "0"]


@pytest.mark.slow
def test_any_number_of_runs_of_other_branches_in_between_leaves_the_nights_as_they_were(tmp_path):
    nights = [replace(earlier_night(2 * days_ago, {"a": 1}), branch="main") for days_ago in range(1, 4)]
    tries = [
        replace(earlier_night(1, {"a": 1}), run_id=f"{number:016x}", branch=f"try{number}")
        for number in range(100, 120)
    ]
    with open_history(str(tmp_path / "history.db"), create=True) as history:
        for run in (*nights, *tries):
            history.add(run)
        (machine,) = {summary.machine_key for summary in history.runs()}
        found = read_baseline(
            history, Tonight(machine, frozenset({SUITE}), "main", dirty=False, variants=1), 3
        )
    assert [run.run_id for run in found.runs] == [night.run_id for night in reversed(nights)]
    assert found.left_out == ("20 of another branch",)
