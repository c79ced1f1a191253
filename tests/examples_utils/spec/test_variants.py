"""Expansion of parameters into variants."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples_utils.spec.variants import VariantError, expand

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


def test_two_variants_of_one_name_are_refused():
    with pytest.raises(VariantError, match="would have the same name"):
        expand("b", [["a", "b"], ["1", "2_b_3"], ["1", "2_b_3"]])
