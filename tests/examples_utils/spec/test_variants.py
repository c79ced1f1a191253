"""Expansion of parameters into variants."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples_utils.spec.variants import VariantError, count_variants, expand

NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
VALUES = st.lists(st.from_regex(r"[0-9a-z.]{1,5}", fullmatch=True), min_size=1, max_size=4, unique=True)
MAPPINGS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@given(MAPPINGS, st.sampled_from([",", ", ", " ,  "]))
def test_every_combination_runs_once_and_the_first_key_varies_fastest(values, comma):
    variants = expand("b", {name: comma.join(given_values) for name, given_values in values.items()})
    assert len(variants) == math.prod(map(len, values.values()))
    assert len({variant.name for variant in variants}) == len(variants)
    first_name, first_values = next(iter(values.items()))
    assert [dict(variant.params)[first_name] for variant in variants[: len(first_values)]] == first_values
    order = [[values[name].index(value) for name, value in reversed(variant.params)] for variant in variants]
    assert order == sorted(order)


@given(MAPPINGS)
def test_names_hold_the_keys_in_sorted_order(values):
    for variant in expand("b", {name: ",".join(given_values) for name, given_values in values.items()}):
        assert variant.name == "b" + "".join(f"_{key}_{value}" for key, value in sorted(variant.params))


@given(st.lists(st.tuples(st.integers(), st.booleans()), min_size=1, max_size=8, unique_by=str))
def test_rows_under_a_header_run_in_their_order(rows):
    variants = expand("b", [["n", "flag"], *map(list, rows)])
    assert [variant.params for variant in variants] == [
        (("n", str(n)), ("flag", str(flag))) for n, flag in rows
    ]


def test_without_parameters_there_is_one_variant_called_like_the_benchmark():
    assert [(variant.name, variant.params) for variant in expand("b", None)] == [("b", ())]


def test_a_list_of_values_may_hold_commas():
    assert [dict(variant.params)["n"] for variant in expand("b", {"n": ["1,2", 3]})] == ["1,2", "3"]


def test_variants_of_one_name_are_told_apart_by_their_number():
    rows = [["a", "b"], ["1", "2_b_3"], ["1_b_2", "3"], ["1", "2_b_3"]]
    names = ["b_a_1_b_2_b_3", "b_a_1_b_2_b_3#2", "b_a_1_b_2_b_3#3"]
    assert [variant.name for variant in expand("b", rows)] == names


@given(st.lists(st.sampled_from(["x", "x#2", "x#3", "y", "y#2"]), min_size=1, max_size=9))
def test_every_variant_has_a_name_of_its_own(values):
    variants = expand("b", {"n": values})
    assert len({variant.name for variant in variants}) == len(values)
    assert [dict(variant.params)["n"] for variant in variants] == values


@given(MAPPINGS)
def test_the_count_is_known_before_the_variants_are_made(values):
    assert count_variants(values) == len(expand("b", values))


@pytest.mark.parametrize("digits", ["0123456789"])
def test_too_many_variants_are_counted_and_not_made(digits):
    parameters = {f"p{index}": ",".join(digits) for index in range(13)}
    with pytest.raises(VariantError, match=r"makes 10,000,000,000,000 variants; at most 100,000"):
        expand("b", parameters)
