"""Links to benchmarks."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from examples_utils.report.anchors import anchors
from examples_utils.run_model import VariantKey

names = st.text(st.sampled_from("ab_-/ é"), max_size=6)


def test_a_link_says_benchmark_and_what_its_variant_adds() -> None:
    key = VariantKey("benchmarks.yml", "resnet50", "resnet50_micro_batch_size_8")
    assert anchors([key]) == {key[:2]: "resnet50", key: "resnet50/micro_batch_size_8"}


def test_of_several_suites_each_link_says_which() -> None:
    keys = [VariantKey("a.yml", "b", "b_1"), VariantKey("c.yml", "b", "b_1")]
    assert [anchors(keys)[key] for key in keys] == ["a.yml/b/1", "c.yml/b/1"]


@given(st.lists(st.builds(VariantKey, names, names, names), unique=True, max_size=8))
def test_no_two_names_share_a_link_and_every_link_is_a_plain_fragment(keys: list[VariantKey]) -> None:
    found = anchors(keys)
    assert len(set(found.values())) == len(found) == len(set(keys)) + len({key[:2] for key in keys})
    assert all(
        re.fullmatch(r"[A-Za-z0-9_./-]+", anchor) and not anchor.startswith("-") for anchor in found.values()
    )
