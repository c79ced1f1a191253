"""Two readings of one run become the whole of it, whichever of the two came first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples_utils.history.merge_runs import merge_runs
from examples_utils.run_model import Run
from tests.examples_utils.history.runs import any_run, night


def stage(variants: int, repetitions: int) -> Run:
    """The same run when it had come so far."""
    return night(1, variants=variants, repetitions=repetitions)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_the_stage_that_had_come_further_counts(variants, repetitions, more_variants, more_repetitions):
    early = stage(variants, repetitions)
    late = stage(variants + more_variants, repetitions + more_repetitions)
    assert merge_runs(early, late) == late
    assert merge_runs(late, early) == late


@pytest.mark.slow
@settings(max_examples=40)
@given(any_run())
def test_the_same_reading_again_changes_nothing(run):
    assert merge_runs(run, run) == run


@pytest.mark.slow
@settings(max_examples=40)
@given(any_run(), any_run())
def test_no_variant_and_no_figure_is_lost(first, second):
    second = replace(second, run_id=first.run_id)
    whole = merge_runs(first, second)
    assert set(whole.variants) == {*first.variants, *second.variants}
    assert set(whole.metrics) == {*first.metrics, *second.metrics}
    assert merge_runs(whole, second) == whole


def test_a_failure_in_a_later_repetition_is_not_undone_by_an_earlier_reading():
    passed = stage(1, 2)
    (key,) = passed.variants
    failed = replace(
        passed, variants={key: replace(passed.variants[key], status="failed", reason="exited with code 1")}
    )
    assert merge_runs(passed, failed).variants[key].status == "failed"
    assert merge_runs(failed, passed).variants[key].status == "failed"


def test_a_log_tail_is_kept_when_the_results_are_read_without_their_logs():
    run = stage(1, 2)
    bare = replace(run, variants={key: replace(facts, log_tail="") for key, facts in run.variants.items()})
    assert merge_runs(run, bare) == run
    assert merge_runs(bare, run) == run
