"""A number that a regular expression cuts at a separator is refused, never half a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.regex import MetricSpec, RegexParser

SEPARATORS = [",", "_", "'", "’", "\u00a0", "\u202f"]


def reduced(regexp: str, text: str, reduction: str = "mean"):
    parser = RegexParser([MetricSpec("m", regexp, 0, reduction)])
    parser.feed(text)
    return parser.results()["m"][1]


@pytest.mark.parametrize("reduction", ["mean", "min", "final", "value"])
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize(
    "regexp",
    [
        r"rate: ([\d.]+)", r"rate: (\d+)", r"rate: (\d+\.?\d*)", r"rate: (.*?) items", r"([\d.]+) items",
        r"items_per_s, rate: ([\d.]+)", r"(?:rate): (?P<value>[0-9]+)", r"rate: [\d.]+", r"(\d+)(?:\.\d+)? items",
        r"(?i)RATE: ([\d.]+)", r"(?:a|rate): ([\d.]+)", r"items.per\(?_s, rate\:\ ([\d\.]+)", r"rate:\s*([^ ,]+)",
        r"rate\W+(\d+)", r"rate: (\d+)|x", r"rate: ((?:\d|\.)+)",
        r"x|(\d+)\.\d", r"x|[\d.]+", r"[\d.]+|x", r"(?i)RATE: [\d.]+",
    ],
)  # fmt: skip
def test_a_number_with_a_separator_is_no_number(regexp, separator, reduction):
    result = reduced(regexp, f"items_per_s, rate: 1{separator}234.5 items\n", reduction)
    assert result.value is None
    assert "separator between its digits: print the number without it" in result.reason
    assert repr(f"1{separator}234")[1:-1] in result.reason


@pytest.mark.parametrize(
    ("regexp", "text", "value"),
    [
        (r"(\d+),", "7,8,9", 7.5),  # the pattern expects the comma; two matches, 7 and 8
        (r"^(\d+)\s*,", "12,34", 12),
        (r",(\d+)$", "12,340", 340),
        (r"^\d+,(\d+),\d+", "1,234,567", 234),
        (r"step=(\d+)[,;]", "step=3,4", 3),
        (r"rate: ([\d.]+)", "12:00:01,123 rate: 5.5", 5.5),
        (r"rate: ([\d.]+)", "rate: 5.5, 6", 5.5),
        (r"rate: ([\d.]+)", "rate: 5.5,done", 5.5),
        (r"v_1_(\d+)", "v_1_20", 20),
        (r"took (.*?) s", "took 1e3 s", 1000),
    ],
)
def test_a_separator_that_belongs_to_the_pattern_or_to_the_text_around_is_none_of_the_number(
    regexp, text, value
):
    assert reduced(regexp, text).value == value


@given(st.lists(st.integers(1000, 10**9), min_size=1, max_size=4), st.sampled_from(SEPARATORS))
def test_no_number_that_is_printed_in_groups_of_three_passes(numbers, separator):
    lines = "".join(f"rate: {number:,} items\n".replace(",", separator) for number in numbers)
    for regexp in (r"rate: (\d+)", r"(\d+) items", r"rate: (.*?) items", r"rate: ([\d.]+)"):
        assert reduced(regexp, lines).value is None
    assert reduced(r"rate: (\d+)", lines.replace(separator, "")).value == pytest.approx(
        sum(numbers) / len(numbers)
    )
