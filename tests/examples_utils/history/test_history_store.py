"""What a history holds is what was added, whole and once, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given, settings

from examples_utils.history.store import History, HistoryError
from examples_utils.run_model import Run
from tests.examples_utils.history.runs import any_run, night


@pytest.mark.slow
@settings(max_examples=25)
@given(run=any_run())
def test_a_run_is_loaded_as_it_was_added(history: History, run: Run) -> None:
    run = replace(run, run_id=f"{uuid4()}{run.run_id}")  # the examples share a history
    assert history.add(run)
    assert history.load([run.run_id]) == [run]
    assert not history.add(run)
    assert history.load([run.run_id]) == [run]


def test_adding_the_same_run_twice_changes_nothing(history: History) -> None:
    assert [history.add(night(1)), history.add(night(2)), history.add(night(1))] == [True, True, False]
    assert history.load([night(2).run_id, night(1).run_id]) == [night(2), night(1)]
    assert len(history.runs()) == 2


def test_a_run_that_has_grown_is_completed_and_not_doubled(history: History) -> None:
    history.add(night(1, variants=2, repetitions=2))
    grown = night(1, variants=5, repetitions=3)
    assert history.add(grown)
    assert history.load([grown.run_id]) == [grown]
    assert not history.add(night(1, variants=3, repetitions=1))
    assert history.load([grown.run_id]) == [grown]


def test_runs_are_listed_by_start_the_newest_first_whatever_the_order_of_adding(history: History) -> None:
    for number in (3, 1, 2):
        history.add(night(number, branch="topic" if number == 2 else "main"))
    starts = [summary.started_utc[:10] for summary in history.runs()]
    assert starts == ["2026-01-04", "2026-01-03", "2026-01-02"]
    assert [one.branch for one in history.runs(branch="main")] == ["main", "main"]
    assert [one.started_utc[:10] for one in history.runs(before_run=night(2).run_id)] == ["2026-01-02"]
    assert history.runs(before_run="not there") == []
    assert len(history.runs(limit=2)) == 2
    assert history.runs(suite="other.yml") == []
    assert len(history.runs(suite="benchmarks.yml", machine_key=history.runs()[0].machine_key)) == 3


def test_numbers_that_no_database_takes_are_more_than_there_are_runs(history: History) -> None:
    history.add(night(1))
    history.add(night(2))
    assert len(history.runs(limit=10**20)) == 2
    assert history.prune(keep_runs=10**20) == history.prune(keep_days=10**20) == []
    for number in ("9" * 20, "9" * 5000):
        assert len(history.resolve(f"branch:main:{number}")) == 2
        with pytest.raises(HistoryError, match="has 2 runs"):
            history.resolve(f"latest~{number}")


@pytest.mark.slow
def test_the_runs_before_one_do_not_hold_itself_whatever_its_clock_said(history: History) -> None:
    same_moment = night(1, run_id="same moment")
    for run in (night(1), same_moment, night(2, started_utc="2190-01-01T00:00:00+00:00")):
        history.add(run)
    ids = [night(2).run_id, same_moment.run_id, night(1).run_id]
    before = [[one.run_id for one in history.runs(before_run=run_id)] for run_id in ids]
    assert before == [ids[1:], ids[2:], []]


def test_a_summary_counts_the_variants_by_how_they_ended(history: History) -> None:
    run = night(1, variants=4)
    statuses = iter(["passed", "failed", "not run", "skipped"])
    history.add(
        replace(run, variants={k: replace(v, status=next(statuses)) for k, v in run.variants.items()})
    )
    (summary,) = history.runs()
    assert (summary.passed, summary.failed, summary.skipped, summary.not_run) == (1, 1, 1, 1)
    assert (summary.hostname, summary.suites, summary.commit) == ("h", ("benchmarks.yml",), run.commit)


def test_only_the_metrics_asked_for_are_loaded(history: History) -> None:
    history.add(night(1))
    (run,) = history.load([night(1).run_id], metrics=["latency"])
    assert {key.metric for key in run.metrics} == {"latency"}
    assert len(run.metrics) == 2


def test_a_run_without_its_log_tails_is_otherwise_whole(history: History) -> None:
    history.add(night(1))
    (run,) = history.load([night(1).run_id], log_tails=False)
    assert {facts.log_tail for facts in run.variants.values()} == {""}
    assert run.metrics == night(1).metrics


def test_a_run_that_is_not_there_is_refused_by_its_id(history: History) -> None:
    with pytest.raises(HistoryError, match="has no run feed; history list shows"):
        history.load(["feed"])


def test_figures_that_are_no_numbers_are_not_let_in(history: History) -> None:
    run = night(1)
    key = next(iter(run.metrics))
    bad = replace(run, metrics={key: replace(run.metrics[key], values=(1.0, float("nan")))})
    with pytest.raises(ValueError, match="not JSON compliant"):
        history.add(bad)
    assert history.runs() == []
