"""Reductions of the values that a regex found."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.reduction import make_reduction

FIGURES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


def reduce_in_pieces(
    texts: list[str], cut: int, reduction_type: str, skip: int = 0, drop_largest: bool = False
):
    reduction = make_reduction(reduction_type, skip, drop_largest)
    reduction.add(texts[:cut])
    reduction.add(texts[cut:])
    return reduction.result()


@given(FIGURES, st.integers(0, 60), st.integers(0, 8), st.booleans())
def test_the_mean_is_that_of_the_sorted_figures_without_the_skipped_ones(figures, cut, skip, drop_largest):
    kept = sorted(figures, reverse=drop_largest)[skip:]
    result = reduce_in_pieces([repr(f) for f in figures], cut, "mean", skip, drop_largest)
    assert result.matches == len(figures)
    if kept:
        assert result.value == pytest.approx(fmean(kept), rel=1e-9, abs=1e-6)
    else:
        assert result.value is None
        assert f"skip drops {skip}" in result.reason


@given(FIGURES, st.integers(0, 60))
def test_final_min_and_value_are_the_last_the_smallest_and_the_first_figure(figures, cut):
    texts = [repr(f) for f in figures]
    assert reduce_in_pieces(texts, cut, "final").value == figures[-1]
    assert reduce_in_pieces(texts, cut, "min").value == min(figures)
    assert reduce_in_pieces(texts, cut, "value").value == figures[0]


@pytest.mark.parametrize("reduction_type", ["mean", "final", "min", "value"])
@pytest.mark.parametrize("text", ["nan", "inf", "-Infinity", "fast", "", "1,234"])
def test_a_match_that_is_no_finite_number_gives_no_value_and_says_so(reduction_type, text):
    result = reduce_in_pieces([text], 1, reduction_type)
    assert result.value is None
    assert repr(text) in result.reason


@pytest.mark.parametrize("reduction_type", ["mean", "final", "min", "value"])
def test_no_match_gives_no_value(reduction_type):
    assert reduce_in_pieces([], 0, reduction_type).value is None


def test_one_bad_figure_among_good_ones_spoils_the_mean_but_not_the_final_value():
    assert reduce_in_pieces(["1", "nan", "3"], 2, "mean").value is None
    assert reduce_in_pieces(["1", "nan", "3"], 2, "final").value == 3


def test_a_sum_that_overflows_is_not_taken_for_a_bad_figure():
    result = reduce_in_pieces(["1e308", "1e308"], 1, "min")
    assert result.value == 1e308
    assert math.isfinite(result.value)
    assert reduce_in_pieces(["1e308", "1e308"], 1, "mean").reason is not None


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="median"):
        make_reduction("median")
