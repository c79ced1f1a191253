"""How a threshold is written, in a spec or on the command line, and that it arrives in the record."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.result_check import check_results
from examples_utils.spec.threshold import parse_threshold


@given(st.floats(min_value=0.001, max_value=99.9))
def test_a_percentage_and_its_share_mean_the_same(percent):
    share = pytest.approx(percent / 100)
    assert parse_threshold(f"{percent:.12f}%") == share
    assert parse_threshold(f" {percent:.12f} % ") == share
    assert parse_threshold(percent / 100) == share
    assert parse_threshold(repr(percent / 100)) == share


@given(st.one_of(st.text(), st.floats(), st.integers()))
def test_whatever_is_written_gives_a_share_or_a_value_error(written):
    with contextlib.suppress(ValueError):
        assert 0 < parse_threshold(written) < 1


def test_the_entry_s_threshold_is_in_the_record_and_the_file_is_valid(workplace):
    workplace.spec("a: {cmd: echo hi, compare: {threshold: 2.5%}}\nb: {cmd: echo hi}\n")
    done = workplace.benchmark()
    assert done.by_variant["a"]["compare"] == {"threshold": 0.025}
    assert done.by_variant["b"]["compare"] == {}
    assert check_results(done.log / "benchmark_results.json").problems == ()


def test_a_threshold_that_is_no_share_makes_a_result_file_invalid(workplace):
    workplace.spec("a: {cmd: echo hi, compare: {threshold: 2.5%}}\n")
    file = workplace.benchmark().log / "benchmark_results.json"
    file.write_text(file.read_text().replace('{"threshold": 0.025}', '{"threshold": 2}'))
    (problem,) = check_results(file).problems
    assert problem.place == "/a/0/compare/threshold"
    assert "above 0 and below 1" in problem.message
