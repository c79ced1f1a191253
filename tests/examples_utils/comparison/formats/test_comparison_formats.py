"""Every format contains the whole comparison, whatever its names and values."""

from __future__ import annotations

import csv
import html
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from junitparser import JUnitXml, Skipped

from examples_utils.comparison.formats import FORMATS, formatted
from examples_utils.comparison.formats.csv_rows import COLUMNS
from examples_utils.comparison.text import BY_URGENCY, by_urgency, head_lines
from examples_utils.comparison.verdicts import Comparison, MachineDrift, MetricVerdict, Verdict
from examples_utils.run_model import MetricKey
from tests.comparison_runs import COMPARISON_SCHEMA

_SCHEMA = Draft202012Validator(COMPARISON_SCHEMA)
_names = st.text(min_size=1, max_size=12)
_ratios = st.one_of(st.none(), st.floats(0.2, 5), st.just(math.inf))
_shares = st.one_of(st.none(), st.floats(0, 1))
_judged = st.builds(
    MetricVerdict,
    key=st.builds(MetricKey, _names, _names, _names, _names),
    verdict=st.sampled_from(Verdict),
    unit=st.one_of(st.none(), _names),
    direction=st.sampled_from(["higher", "lower", None]),
    base=st.one_of(st.none(), st.floats(0, 1e9)),
    new=st.one_of(st.none(), st.floats(0, 1e9)),
    ratio=_ratios,
    low=_ratios,
    high=_ratios,
    p=_shares,
    q=_shares,
    threshold=st.one_of(st.none(), st.floats(0.001, 0.5)),
    base_runs=st.integers(0, 30),
    base_values=st.integers(0, 99),
    new_values=st.integers(0, 99),
    needed=st.one_of(st.none(), st.integers(1, 99)),
    reason=st.text(max_size=20),
)
_movements = st.builds(
    MachineDrift,
    st.floats(0.5, 2),
    st.floats(0.5, 2),
    st.floats(0.5, 2),
    st.floats(0, 1),
    st.dictionaries(_names, st.floats(0.5, 2), max_size=2),
)
_comparisons = st.builds(
    Comparison,
    _names,
    _names,
    st.lists(_judged, max_size=5).map(tuple),
    st.one_of(st.none(), _movements),
    st.lists(_names, max_size=2).map(tuple),
    st.one_of(st.none(), st.floats(0.5, 2)),
)


def figure(verdict: Verdict, variant: str = "resnet", **more) -> MetricVerdict:
    return MetricVerdict(
        MetricKey("s.yml", "resnet", variant, "throughput"), verdict, "samples/sec", "higher", **more
    )


REGRESSED = figure(
    Verdict.REGRESSED,
    "resnet_batch_8",
    base=100.0,
    new=95.0,
    ratio=0.95,
    low=0.94,
    high=0.96,
    threshold=0.02,
    base_values=5,
    new_values=5,
    reason="slower beyond the threshold of 2%",
)
MOVED = Comparison(
    "last night",
    "tonight",
    (figure(Verdict.UNCHANGED, "resnet_batch_1", ratio=1.0), REGRESSED),
    MachineDrift(1.048, 1.041, 1.055, 0.96, {"compute": 1.05, "memory": 1.02}),
    ("cores: 2 → 4",),
    0.9747,
)


@pytest.mark.slow
@given(_comparisons)
def test_the_json_document_is_valid_and_holds_every_figure(comparison):
    document = json.loads(formatted(comparison, "json"))
    assert [error.message for error in _SCHEMA.iter_errors(document)] == []
    keys = [(f["suite"], f["benchmark"], f["variant"], f["metric"]) for f in document["figures"]]
    assert sorted(keys) == sorted(tuple(one.key) for one in comparison.judged)
    assert sum(document["counts"].values()) == len(comparison.judged)


@given(_comparisons)
def test_the_csv_file_reads_back_as_the_figures(comparison):
    rows = list(csv.DictReader(io.StringIO(formatted(comparison, "csv", csv_raw=True), newline="")))
    ordered = by_urgency(comparison)
    assert [row["verdict"] for row in rows] == [one.verdict.value for one in ordered]
    for row, one in zip(rows, ordered, strict=True):
        assert set(row) == set(COLUMNS)
        assert row["new"] == ("" if one.new is None else str(one.new))
        texts = (one.key.variant, one.reason)
        assert (row["variant"], row["reason"]) == tuple(
            text.replace("\0", "\N{REPLACEMENT CHARACTER}") for text in texts
        )


@given(_comparisons)
def test_junit_reads_back_with_a_failure_for_what_fails_the_command(comparison):
    document = JUnitXml.fromstring(formatted(comparison, "junit").encode())
    bad = sum(one.verdict in (Verdict.REGRESSED, Verdict.FAILED) for one in comparison.judged)
    assert (document.tests, document.failures, document.errors) == (len(comparison.judged), bad, 0)


@pytest.mark.slow
@given(_comparisons)
def test_a_table_is_a_table_whatever_is_in_the_names(comparison):
    rows = [line for line in formatted(comparison, "markdown").splitlines() if line.startswith("|")]
    for row in rows:
        unescaped = row.replace("\\\\", "").replace("\\|", "")
        assert unescaped.count("|") == 10, row
        assert "<" not in row
    assert all(formatted(comparison, "table", show_all=True, width=width) for width in (None, 20, 300))


def test_what_concerns_the_whole_machine_is_said_once_and_first():
    for name in ("table", "markdown"):
        text = html.unescape(formatted(MOVED, name)).replace("\\", "")
        assert text.count("machine slower by 4.8% (4.1% to 5.5%)") == 1
        assert "note: cores: 2 → 4" in text
        assert text.index("machine slower") < text.index("resnet_batch_8")
    assert json.loads(formatted(MOVED, "json"))["machine"]["slowdown"] == 1.048


def test_a_faster_machine_is_called_faster_with_the_smaller_end_first():
    moved = Comparison("a", "b", (), MachineDrift(0.95, 0.93, 0.97, 1.0))
    assert "machine faster by 5.0% (3.0% to 7.0%)" in "\n".join(head_lines(moved))


def test_the_table_shows_the_most_urgent_first_and_folds_away_what_did_not_change():
    comparison = Comparison(
        "a", "b", tuple(figure(verdict, f"resnet_{i}") for i, verdict in enumerate(Verdict))
    )
    text = formatted(comparison, "table")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [verdict.value for verdict in BY_URGENCY if verdict is not Verdict.UNCHANGED]
    assert "1 unchanged is not shown; --all shows them" in text
    everything = formatted(comparison, "table", show_all=True)
    assert "| unchanged " in everything
    assert "not shown" not in everything


def test_of_very_many_uncertain_figures_the_table_shows_the_largest_changes():
    figures = [figure(Verdict.UNCERTAIN, f"resnet_{i:03}", ratio=1 + i / 1000) for i in range(200)]
    text = formatted(Comparison("a", "b", (*figures, REGRESSED)), "table")
    assert [f"resnet_{i:03}" in text for i in range(200)] == [i >= 190 for i in range(200)]
    assert "| regressed " in text
    assert "190 uncertain are not shown; --all shows them" in text
    assert (
        formatted(Comparison("a", "b", tuple(figures)), "table", show_all=True).count("| uncertain ") == 200
    )


def test_a_row_says_the_change_its_interval_and_why():
    row = formatted(MOVED, "table").splitlines()[-3]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "regressed",
        "resnet_batch_8",
        "throughput",
        "100.0",
        "95.00",
        "samples/sec",
        "-5.0%",
        "-6.0% to -4.0%",
        "slower beyond the threshold of 2%",
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_what_regressed_without_a_ratio_stands_first_and_says_from_what_to_what(name):
    reason = "100 in the base and 0 now without any overlap"
    stopped = figure(Verdict.REGRESSED, "resnet_stopped", base=100.0, new=0.0, p=1e-6, q=1e-6, reason=reason)
    text = formatted(Comparison("a", "b", (REGRESSED, stopped)), name)
    assert reason in text
    if name != "junit":  # in the order of the run
        assert text.index("resnet_stopped") < text.index("resnet_batch_8")


def test_an_uncertain_figure_says_how_many_repetitions_would_settle_it():
    one = figure(Verdict.UNCERTAIN, ratio=0.98, needed=12, reason="too noisy")
    assert "too noisy; 12 repetitions would settle it" in formatted(Comparison("a", "b", (one,)), "table")


def test_colours_are_only_for_a_terminal_that_shows_them():
    assert "\x1b[" not in formatted(MOVED, "table", width=200)
    assert "\x1b[1;31m" in formatted(MOVED, "table", width=200, colours=True)


def test_markdown_escapes_html_and_calls_nobody():
    evil = figure(Verdict.REGRESSED, "<script>alert(1)</script> @everyone [x](http://y) **b** _i_")
    text = formatted(Comparison("<b>", "b", (evil,)), "markdown")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "@" not in text
    assert "\\[x\\](" in text
    assert "\\*\\*b\\*\\*" in text
    assert "\\_i\\_" in text


def test_what_nothing_can_be_said_of_is_skipped_in_junit():
    open_ones = (Verdict.UNCERTAIN, Verdict.MISSING, Verdict.NOT_COMPARABLE)
    comparison = Comparison("a", "b", tuple(figure(verdict, verdict.value) for verdict in Verdict))
    document = JUnitXml.fromstring(formatted(comparison, "junit").encode())
    skipped = [
        case.name for suite in document for case in suite if any(isinstance(r, Skipped) for r in case.result)
    ]
    assert skipped == [f"{verdict.value} throughput" for verdict in Verdict if verdict in open_ones]


@pytest.mark.parametrize("name", FORMATS)
def test_a_comparison_of_nothing_is_said_in_every_format(name):
    assert formatted(Comparison("a", "b", ()), name).endswith("\n")
