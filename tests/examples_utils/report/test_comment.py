"""The comment for a pull request."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from examples_utils.comparison.onset import regressions
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.regressions import Acceptance, ReportedRegression
from examples_utils.report.comment import report_comment
from examples_utils.report.page import report_page
from examples_utils.run_model import MetricKey
from tests.examples_utils.report.simulated_nights import (
    simulated_changes,
    simulated_comparison,
    simulated_runs,
    variant,
)

SLOWER = {variant("resnet50_infer", 8): (27, 1.08)}
RUNS = simulated_runs(30, slower=SLOWER, noise=0.003)
COMPARISON = simulated_comparison(RUNS, lasted=3)


def test_what_regressed_stands_first_with_its_date_and_what_did_not_is_folded() -> None:
    changes = simulated_changes(RUNS, SLOWER)
    text = report_comment(RUNS, COMPARISON, changes, regressions(COMPARISON, RUNS, changes, RUNS))
    headline, *_ = text.splitlines()
    assert headline == "### 3 metrics regressed"
    table, folded = text.split("<details>")
    rows = [line for line in table.splitlines() if line.startswith("| regressed")]
    assert len(rows) == 3
    assert all(
        f"since 2026-01-28 (3 nights), commits {RUNS[26].commit[:10]}..{RUNS[27].commit[:10]}" in row
        for row in rows
    )
    assert folded.startswith("<summary>3 unchanged</summary>")
    assert folded.count("| unchanged") == 3


def test_the_ends_of_the_logs_of_failures_are_folded() -> None:
    failed = variant("resnet50_infer", 1)
    variants = dict(RUNS[-1].variants)
    variants[failed] = replace(
        variants[failed], status="failed", log_tail="\x1b[31m<b>@someone</b>\x1b[0m\n\nout of memory"
    )
    text = report_comment([*RUNS[:-1], replace(RUNS[-1], variants=variants)], COMPARISON)
    assert "<pre>\n&lt;b&gt;&#64;someone&lt;/b&gt;\n\nout of memory\n</pre>" in text
    assert text.count("<summary>end of the log of") == 1


def test_names_cannot_write_markup_links_or_call_people() -> None:
    name = "<script>alert(1)</script> [x](http://e.x) @someone | `code` **bold**"
    judged = MetricVerdict(
        MetricKey("s", name, name, name), Verdict.REGRESSED, name, None, 1.0, 2.0, 2.0, reason=name
    )
    text = report_comment([], Comparison(name, name, (judged,), differences=(name,)))
    assert "<script>" not in text
    assert not re.search(r"(?<!\\)[\[\]`*]|@", text)
    row = next(line for line in text.splitlines() if line.startswith("| regressed"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 10


@pytest.mark.slow
def test_a_large_suite_still_fits_into_a_comment_and_says_how_much_is_left_out() -> None:
    judged = [
        MetricVerdict(
            MetricKey("s", "b", f"b_{number:06}", "throughput"), verdict, "samples/sec", ratio=0.9, low=0.8
        )
        for number in range(3000)
        for verdict in (Verdict.REGRESSED, Verdict.UNCHANGED)
    ]
    text = report_comment([], Comparison("base", "new", tuple(judged)))
    assert 40_000 < len(text) < 65_536
    shown = text.count("| regressed")
    assert f"… and {3000 - shown} more" in text
    assert "<summary>3000 unchanged</summary>" in text
    assert text.count("<details>") == text.count("</details>")


def test_a_comment_of_no_run_says_so() -> None:
    assert report_comment([], Comparison("", "", ())).startswith("### No metric to compare")


def test_what_stopped_altogether_is_told_by_its_values_in_comment_and_page() -> None:
    key = next(key for key in RUNS[-1].metrics if key.metric == "throughput")
    stopped = MetricVerdict(
        key, Verdict.REGRESSED, "samples/sec", "higher", base=123.0, new=0.0, q=1e-6, reason="123 to 0"
    )
    comparison = Comparison("base", "new", (stopped,))
    dated = regressions(comparison, RUNS, (), RUNS)
    row = next(
        line for line in report_comment(RUNS, comparison, (), dated).splitlines() if "| regressed" in line
    )
    assert [cell.strip() for cell in row.split("|")][4:9] == ["123.0", "0.0000", "samples/sec", "", ""]
    page = report_page(RUNS, comparison, (), (), dated)
    assert '<strong>throughput</strong>: <data value="123.0">123.0</data>' in page
    assert "Since 2026-01-30 (this run is the first)" in page


def test_open_and_accepted_regressions_are_listed_as_far_as_there_is_space() -> None:
    one = ReportedRegression(MetricKey("s", "a|b", "a|b", "latency"), RUNS[27], RUNS[26], 1.1, 1.09, 1.11)
    accepted = replace(one, acceptance=Acceptance("Ada @all", "2026-01-30T09:00:00+00:00", "<b>sharper</b>"))
    text = report_comment(RUNS, COMPARISON, reported=[accepted, *[one] * 99], power="30 nights of history: …")
    lines = text.splitlines()
    assert "- 30 nights of history: …" in lines
    (shown,) = [line for line in lines if line.startswith("- ACCEPTED")]
    assert "<b>" not in shown
    assert "@all" not in shown
    assert len([line for line in lines if line.startswith("- STILL WORSE a")]) == 29
    assert "- ... and 70 more" in lines


def test_a_report_with_open_regressions_does_not_begin_with_nothing_regressed() -> None:
    one = ReportedRegression(MetricKey("s", "a", "a", "latency"), RUNS[27], RUNS[26], 1.1, 1.09, 1.11)
    accepted = replace(one, acceptance=Acceptance("Ada", "2026-01-30T09:00:00+00:00", "sharper"))
    unchanged = Comparison("base", "new", (MetricVerdict(one.key, Verdict.UNCHANGED, "ms", "lower"),))
    headlines = [
        report_comment(RUNS, unchanged, reported=reported).splitlines()[0] for reported in ([one], [accepted])
    ]
    assert headlines == ["### 1 metric still worse", "### Nothing regressed"]
    assert "<h1>1 metric still worse</h1>" in report_page(RUNS, unchanged, reported=[one])
