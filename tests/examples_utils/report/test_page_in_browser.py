"""The page as a browser shows it: metrics, filter, sort, plots, links."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import median

import pytest
from playwright.sync_api import Page

from examples_utils.comparison.formats.json_document import comparison_json
from examples_utils.comparison.onset import regressions
from examples_utils.comparison.verdicts import Comparison, MachineDrift, MetricVerdict, Verdict
from examples_utils.report.page import report_page
from examples_utils.run_model import Metric, MetricKey
from tests.examples_utils.report.conftest import OpenPage
from tests.examples_utils.report.simulated_nights import (
    simulated_changes,
    simulated_comparison,
    simulated_runs,
    variant,
)

RESNET, EFFICIENTNET = "resnet50_infer", "efficientnet_b0_infer"
SLOWER = {variant(RESNET, 8): (27, 1.08)}
RUNS = simulated_runs(30, (RESNET, EFFICIENTNET), (1, 8), slower=SLOWER, noise=0.003)
BASE = [run.run_id for run in RUNS[-15:-1]]
COMPARISON = simulated_comparison(RUNS, lasted=3)
CHANGES = simulated_changes(RUNS, SLOWER)
PAGE = report_page(RUNS, COMPARISON, CHANGES, BASE, regressions(COMPARISON, RUNS, CHANGES, RUNS))


def visible_rows(page: Page) -> list[list[str]]:
    return page.evaluate(
        """[...document.querySelectorAll("#-table tbody tr:not([hidden])")]
        .map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"""
    )


def test_what_regressed_stands_on_top_with_its_size_its_date_and_its_evidence(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    assert page.locator("h1").text_content() == "3 metrics regressed"
    card = page.locator(".card").first.inner_text()
    assert "resnet50_infer_micro_batch_size_8" in card
    assert "lower (95% interval −" in card
    assert f"Since 2026-01-28 (3 nights), commits {RUNS[26].commit[:10]}..{RUNS[27].commit[:10]}" in card
    assert "Evidence: q < 0.0001, 5 repetitions compared with 70 of 14 runs, threshold 2%" in card
    assert page.locator(".card .spark svg").count() == 3
    assert page.locator(".card").count() == 1


def test_the_figures_are_those_of_the_comparison_as_json(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.select_option("#-show", "*")
    reported = json.loads(comparison_json(COMPARISON))["figures"]
    rows = page.evaluate(
        """[...document.querySelectorAll("#-table tbody tr")].map((row) => [...row.cells].map((cell) =>
        "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim()))"""
    )
    assert len(rows) == len(reported) == 12
    for row, figure in zip(rows, reported, strict=True):
        assert row[1] == figure["variant"]
        assert row[2].split() == [figure["metric"], figure["unit"]]
        assert row[3:6] == [figure["base"], figure["new"], figure["ratio"]]
        assert row[6] == pytest.approx(figure["high"] - figure["low"], abs=0)
        assert row[7:] == [figure["q"], figure["new_values"]]


def test_the_table_of_nights_has_each_nights_median_and_commit(open_page: OpenPage) -> None:
    page = open_page(PAGE, "#efficientnet_b0_infer/micro_batch_size_1")
    article = page.locator("article", has=page.locator(":focus"))
    article.locator("summary", has_text="of throughput").click()
    rows = article.locator(".nights tbody tr").all_inner_texts()
    key = MetricKey(*variant(EFFICIENTNET, 1), "throughput")
    assert len(rows) == 30
    for row, run in zip(rows, reversed(RUNS), strict=True):
        day, reported, _, commit, *_ = row.split("\t")
        assert day == run.started_utc[:16].replace("T", " ")
        assert float(reported) == pytest.approx(median(run.metrics[key].values), rel=1e-5)
        assert commit == run.commit[:10]


def test_a_plot_tells_its_nights_by_arrow_keys(open_page: OpenPage) -> None:
    page = open_page(PAGE, "#resnet50_infer/micro_batch_size_8")
    plot = page.locator("article", has=page.locator(":focus")).get_by_role("slider").first
    assert "throughput of resnet50_infer_micro_batch_size_8, regressed: 30 nights" in plot.get_attribute(
        "aria-label"
    )
    plot.focus()
    plot.press("ArrowLeft")
    plot.press("ArrowLeft")
    reported = plot.get_attribute("aria-valuetext")
    assert plot.get_attribute("aria-valuenow") == "28"
    assert reported.startswith("2026-01-28 02:30: ")
    assert f"commit {RUNS[27].commit[:10]} on main · change point −7.4%" in reported
    assert plot.locator(".readout").inner_text() == reported
    plot.press("Home")
    assert plot.get_attribute("aria-valuetext").startswith("2026-01-01")
    plot.press("End")
    assert plot.get_attribute("aria-valuenow") == "30"


def test_a_change_of_software_is_told_with_its_night(open_page: OpenPage) -> None:
    page = open_page(PAGE, "#resnet50_infer/micro_batch_size_1")
    page.locator("article", has=page.locator(":focus")).locator("summary", has_text="of latency").click()
    assert (
        "packages.openvino: 2026.4.1 → 2026.5.0"
        in page.locator(".nights tbody tr", has_text="2026-01-21").inner_text()
    )


def test_words_filter_figures_and_benchmarks_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.get_by_label("Filter").focus()
    page.keyboard.type("EFFICIENT latency size_8")
    assert [row[1:3] for row in visible_rows(page)] == [
        ["efficientnet_b0_infer_micro_batch_size_8", "latency ms"]
    ]
    assert page.locator("#-shown").inner_text() == "1 of 12 metrics"
    assert page.locator("article:visible").count() == 1
    page.keyboard.type(" nonsense")
    assert visible_rows(page) == []
    assert page.locator(".benchmark:visible").count() == 0
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    assert len(visible_rows(page)) == 9
    assert page.locator("article:visible").count() == 4


def test_a_count_of_verdicts_leads_to_its_figures(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.locator("a.count", has_text="regressed").press("Enter")
    assert [row[0] for row in visible_rows(page)] == ["regressed"] * 3
    assert page.evaluate("document.activeElement.id") == "-figures"


def test_columns_sort_by_keyboard_and_what_has_no_figure_stays_last(open_page: OpenPage) -> None:
    new = MetricVerdict(
        MetricKey("benchmarks.yml", RESNET, "resnet50_infer_micro_batch_size_1", "a_new_one"),
        Verdict.NEW,
        new=3.0,
    )
    comparison = replace(COMPARISON, judged=(*COMPARISON.judged, new))
    page = open_page(report_page(RUNS, comparison))
    page.select_option("#-show", "*")
    header = page.get_by_role("columnheader", name="Change")
    changes = []
    for direction in ("ascending", "descending"):
        header.get_by_role("button").press("Enter")
        assert header.get_attribute("aria-sort") == direction
        *cells, last = [row[5] for row in visible_rows(page)]
        changes.append([float(cell.replace("−", "-").rstrip("%")) for cell in cells])
        assert last == ""
    assert changes[0] == sorted(changes[0])
    assert changes[1] == sorted(changes[1], reverse=True)
    assert page.locator("[aria-sort]").count() == 1


def test_more_figures_are_drawn_when_they_are_opened(open_page: OpenPage) -> None:
    page = open_page(PAGE, "#efficientnet_b0_infer/micro_batch_size_8")
    article = page.locator("article", has=page.locator(":focus"))
    assert article.locator("svg").count() == 2
    article.locator("summary", has_text="1 more metric").click()
    figure = article.locator(".more figure")
    figure.locator("svg").wait_for()
    assert figure.locator("figcaption").inner_text().startswith("unchanged latency_p99")


def test_a_link_leads_to_its_benchmark_even_if_the_filter_hides_it(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.get_by_label("Filter").fill("resnet50")
    assert not page.locator("article", has_text="efficientnet").first.is_visible()
    page.evaluate("location.hash = '#efficientnet_b0_infer/micro_batch_size_8'")
    focused = page.locator("h4:focus")
    focused.wait_for()
    assert focused.inner_text().startswith("efficientnet_b0_infer_micro_batch_size_8")
    assert page.get_by_label("Filter").input_value() == ""


def test_batch_sizes_are_drawn_and_told_with_their_front(open_page: OpenPage) -> None:
    page = open_page(PAGE, "#efficientnet_b0_infer")
    trade_off = page.locator(".trade-off", has=page.locator("svg")).first
    rows = trade_off.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["1", "8"]
    assert trade_off.locator("circle").count() == 2
    assert trade_off.locator("circle.front").count() == sum(row.endswith("on it") for row in rows)


def test_a_slow_machine_and_other_fingerprints_are_told_once_above_all(open_page: OpenPage) -> None:
    movement = MachineDrift(1.042, 1.036, 1.049, 0.87, {"compute": 1.041})
    comparison = replace(COMPARISON, movement=movement, differences=("kernel: 6.1 → 6.2",))
    page = open_page(report_page(RUNS, comparison))
    banners = page.locator(".banner:visible").all_inner_texts()
    assert banners[0].startswith("Machine slower by 4.2% (3.6% to 4.9%): 87% of the metrics moved together")
    assert banners[1:] == ["Note: kernel: 6.1 → 6.2"]


def test_a_quiet_night_says_so(open_page: OpenPage) -> None:
    quiet = simulated_runs(20, noise=0.002)
    page = open_page(report_page(quiet, simulated_comparison(quiet)))
    assert page.locator("h1").inner_text() == "Nothing regressed"
    assert page.locator(".card").count() == 0


def test_a_first_night_has_figures_and_plots_of_one_night(open_page: OpenPage) -> None:
    runs = simulated_runs(1)
    page = open_page(report_page(runs, simulated_comparison(runs)), "#resnet50_infer/micro_batch_size_1")
    assert {row[0] for row in visible_rows(page)} == {"new"}
    assert "1 night from 2026-01-01 to 2026-01-01" in page.get_by_role("slider").first.get_attribute(
        "aria-label"
    )


def test_a_page_of_no_run_says_that_there_is_nothing(open_page: OpenPage) -> None:
    page = open_page(report_page([], Comparison("", "", ())))
    assert page.locator("h1").inner_text() == "No metric to compare"
    assert "This run has no metrics" in page.locator("main").inner_text()


def test_failed_and_missing_variants_are_told_with_reason_and_log(open_page: OpenPage) -> None:
    failed, missing = variant(RESNET, 1), variant(EFFICIENTNET, 1)
    last = RUNS[-1]
    variants = {key: facts for key, facts in last.variants.items() if key != missing}
    variants[failed] = replace(
        variants[failed],
        status="failed",
        reason="exit code 1: out of memory",
        log_tail="\x1b[31mkilled\x1b[0m\n",
    )
    figures = {key: figure for key, figure in last.metrics.items() if key.of_variant not in (failed, missing)}
    runs = [*RUNS[:-1], replace(last, variants=variants, metrics=figures)]
    verdicts = {failed: Verdict.FAILED, missing: Verdict.MISSING}
    judged = [
        MetricVerdict(
            one.key,
            verdicts[one.key.of_variant],
            one.unit,
            one.direction,
            base=one.base,
            reason="not in this run",
        )
        if one.key.of_variant in verdicts
        else one
        for one in COMPARISON.judged
    ]
    page = open_page(report_page(runs, replace(COMPARISON, judged=tuple(judged))))
    assert page.locator("h1").inner_text() == "3 metrics regressed, 1 variant failed"
    cards = page.locator(".card").all_inner_texts()
    assert ["exit code 1: out of memory" in card for card in cards] == [False, True, False]
    assert "missing" in cards[2]
    article = page.locator("article", has=page.locator("h4", has_text="resnet50_infer_micro_batch_size_1"))
    assert article.locator("pre:visible").inner_text() == "killed"
    article.scroll_into_view_if_needed()
    article.locator("svg .newest").first.wait_for()
    assert article.locator("svg .failure").count() == 2
    assert article.locator("svg .repetition").count() == 0


def test_without_scripts_all_figures_are_there(open_page: OpenPage) -> None:
    page = open_page(PAGE, java_script_enabled=False)
    assert "need JavaScript" in page.locator(".banner:visible").inner_text()
    assert page.locator("#-table tbody tr:visible").count() == 12
    assert not page.locator("#-toolbar").is_visible()


def test_nights_in_another_unit_are_left_out_and_counted(open_page: OpenPage) -> None:
    key = MetricKey(*variant(RESNET, 1), "latency")
    first = RUNS[0]
    in_seconds = replace(first, metrics={**first.metrics, key: Metric((0.004, 0.005), "s", "lower")})
    page = open_page(report_page([in_seconds, *RUNS[1:]], COMPARISON), "#resnet50_infer/micro_batch_size_1")
    article = page.locator("article", has=page.locator(":focus"))
    reported = article.locator(".nights summary").all_inner_texts()
    assert reported[1].startswith("29 nights as a table; 1 night in another unit not drawn")
