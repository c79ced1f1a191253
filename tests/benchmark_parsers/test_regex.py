"""The regex engine finds in blocks of lines what a search of each line finds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_parsers.line_pattern import line_pattern
from benchmark_parsers.lines import LONGEST_LINE_BYTES, LineBlocks, line_blocks
from benchmark_parsers.pattern_facts import final_literal, required_literal
from benchmark_parsers.regex import MetricSpec, RegexParser, _Finder

FIELD_REGEXPS = [
    r"throughput: *(.*?) samples\/sec",
    r"latency: *(.*?) ms",
    r"throughput:(.*?)\s+",
    r"Accuracy \(MLM NSP\)\:\ ([\d\.]+)",
    r"\):\s*([\d\.]+|nan)\%",
    r"loss:\s*([^ ]+)",
    r"^\s*(\d+)$",
    r"(?i)THROUGHPUT: (\S+)",
    r"(?s)a(.*)b",
    r"([^\d]+)",
    r"(a|b)\b",
    r"(.*)",
    r"(x)?throughput",
]
FIGURE_PIECES = [
    "throughput: ",
    "12.5",
    " samples/sec",
    "latency: ",
    "3 ms",
    "loss:0.5 ",
    "):",
    "nan",
    "42",
    "%",
]
PIECES = st.sampled_from([*FIGURE_PIECES, "\n", "\r\n", "\r", " ", "a", "b", "é", "Accuracy (MLM NSP): 0.9"])


def plain_reference(regexp: str, text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [match.group(1) or "" for line in lines for match in re.finditer(regexp, line)]


@pytest.mark.parametrize("regexp", FIELD_REGEXPS)
@given(pieces=st.lists(PIECES, max_size=30), cut=st.integers(1, 7))
def test_blocks_give_the_matches_of_a_line_by_line_search(regexp, pieces, cut):
    text = "".join(pieces)
    # A chunk that ends between \r and \n shows one empty line more; none of these matches an empty line
    # but (.*), for which only the texts count.
    data, finder, blocks = text.encode(), _Finder(regexp), LineBlocks()
    found: list[str] = []
    for start in range(0, len(data), cut):
        found += finder.first_groups(blocks.feed(data[start : start + cut]))
    found += finder.first_groups(blocks.finish())
    expected = plain_reference(regexp, text)
    assert [f for f in found if f] == [e for e in expected if e]


@pytest.mark.parametrize(
    ("regexp", "literal"),
    [
        (r"throughput: *(.*?) samples\/sec", " samples/sec"),
        (r"(?:ab)+(\d)", None),
        (r"x?(\d) ms", " ms"),
        (r"(?i)latency (\d)", None),
        (r"(a|b)", None),
    ],
)
def test_the_required_literal_is_in_every_match(regexp, literal):
    assert required_literal(regexp) == literal


@pytest.mark.parametrize(
    "regexp",
    [r"loss:\s*([^ ]+)", r"([^x]+)", r"(?s)(.)", r"\A(b)", r"(\W)", r"(?x)( a )", r"[\s,]*(\d)", r"(?=b)(.)"],
)
def test_most_regexes_are_searched_in_a_whole_block(regexp):
    assert line_pattern(regexp) is not None


SINGLE = st.sampled_from(
    [
        "a",
        "b",
        "1",
        ".",
        r"\s",
        r"\S",
        r"\w",
        r"\W",
        r"\d",
        r"\D",
        "[^a]",
        r"[^\s]",
        r"[\sa]",
        r"[\W1]",
        r"[\s\S]",
        "[\t-z]",
    ]
)
EDGES = st.sampled_from(["^", "$", r"\A", r"\Z", r"\b", r"\B", r"(?<=\s)", r"(?<!\W)", r"(?!\s)", "(?=[^b])"])
QUANTIFIED = st.builds(str.__add__, SINGLE, st.sampled_from(["*", "+?", "{1,3}", "??"]))
REGEXPS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "", "(?s)", "(?i)", "(?a)", "(?x)"]),
    st.recursive(
        SINGLE | QUANTIFIED | EDGES,
        lambda inner: (
            st.builds("".join, st.lists(inner, min_size=1, max_size=4))
            | st.builds("({})".format, inner)
            | st.builds("(?:{}|{})".format, inner, inner)
            | st.builds("({}){{0,2}}".format, inner)
        ),
        max_leaves=6,
    ),
)


@given(regexp=REGEXPS, lines=st.lists(st.text("ab1 \t\x0b\u2003.", max_size=6), min_size=1, max_size=6))
def test_a_block_gives_what_each_of_its_lines_gives(regexp, lines):
    pattern = re.compile(regexp)
    group = min(pattern.groups, 1)
    expected = [match[group] or "" for line in lines for match in pattern.finditer(line)]
    assert _Finder(regexp).first_groups("\n".join(lines)) == expected


def test_stderr_counts_after_stdout_and_the_first_group_counts():
    parser = RegexParser(
        [MetricSpec("first", r"v=(\d+)(x?)", 0, "value"), MetricSpec("last", r"v=(\d+)", 0, "final")]
    )
    parser.feed("v=1 v=2\n")
    parser.feed("v=3\n")
    results = parser.results()
    assert results["first"][1].value == 1
    assert results["last"][1].value == 3
    assert results["last"][1].matches == 3


def test_latency_loses_its_largest_figures_and_throughput_its_smallest():
    parser = RegexParser([MetricSpec("latency", r"l=(\d+)", 1), MetricSpec("throughput", r"t=(\d+)", 1)])
    parser.feed("l=100 t=1\nl=2 t=20\nl=4 t=40\n")
    results = parser.results(instances=4)
    assert results["latency"] == ("mean", results["latency"][1])
    assert results["latency"][1].value == 3
    assert results["throughput"][1].value == 4 * 30


def test_a_line_longer_than_the_bound_is_parsed_in_pieces_and_not_kept(tmp_path):
    file = tmp_path / "stdout"
    filler = b"x" * (3 * LONGEST_LINE_BYTES)
    file.write_bytes(b"v=1 " + filler + b" v=2 \xff\nv=3")
    blocks = list(line_blocks(file))
    assert max(map(len, blocks)) <= 2 * LONGEST_LINE_BYTES
    parser = RegexParser([MetricSpec("v", r"v=(\d)", 0, "mean")])
    for block in blocks:
        parser.feed(block)
    assert parser.results()["v"][1].value == 2


@pytest.mark.parametrize("regexp", FIELD_REGEXPS)
@given(pieces=st.lists(PIECES, max_size=30), repeated=PIECES)
def test_long_lines_give_the_matches_of_a_line_by_line_search(regexp, pieces, repeated):
    text = "".join([*pieces, repeated * 700, *pieces]).replace("\r", "")
    found = _Finder(regexp).first_groups(text)
    assert [f for f in found if f] == [e for e in plain_reference(regexp, text) if e]


@pytest.mark.parametrize(
    ("regexp", "literal"),
    [
        (r"throughput: *(.*?) samples\/sec", " samples/sec"),
        (r"latency: (\S+) ms\b", None),
        (r"(\d+)(?: ms)", " ms"),
        (r"(?=a.*z)(.)b", None),
        (r"(?i)(.*) MS", None),
        (r"(a|b)c|d", None),
    ],
)
def test_the_final_literal_ends_every_match(regexp, literal):
    assert final_literal(regexp) == literal


def test_the_documented_regexp_takes_no_square_of_the_length_of_a_line():
    # By way of every start, this takes minutes.
    line = "throughput: 1 samples/sec " + "throughput: " * 80_000
    assert _Finder(r"throughput: *(.*?) samples\/sec").first_groups(line) == ["1"]
    assert _Finder(r"throughput: *(.*?) samples\/sec").first_groups(f"x samples/sec\n{line}\ny") == ["1"]
