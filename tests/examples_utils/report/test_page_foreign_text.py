"""Names, units, reasons, settings and logs come from anybody's programs: the page shows them and obeys none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.history.regressions import Acceptance, ReportedRegression
from examples_utils.report.page import report_page
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey
from tests.examples_utils.report.conftest import OpenPage

ATTACKS = (
    "<script>window.obeyed = 1</script>",
    "</script><script>window.obeyed = 2</script>",
    "</style><img src=x onerror='window.obeyed = 3'>",
    '"><svg onload="window.obeyed = 4">',
    "' autofocus onfocus='window.obeyed = 5",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "]]></textarea></title><iframe srcdoc='<script>parent.obeyed = 6</script>'>",
    "javascript:window.obeyed=7",
)


def page_of(text: str) -> str:
    key = VariantKey(f"suite {text}", f"benchmark {text}", f"benchmark {text}_{text}")
    other = VariantKey(f"suite {text}", f"benchmark {text}", f"benchmark {text}_8")
    elsewhere = VariantKey(f"another suite {text}", "benchmark", "benchmark_2")
    metric = MetricKey(*key, f"metric {text}")
    facts = VariantFacts(
        "failed",
        f"reason {text}",
        settings={f"setting {text}": text},
        params={"micro_batch_size": "1"},
        command=f"command {text}",
        warnings=(f"warning {text}",),
        log_tail=f"log {text}",
    )
    figures = {metric: Metric((1.0, 2.0), f"unit {text}", "lower")}
    for variant, size in ((key, 1.0), (other, 8.0), (elsewhere, 2.0)):
        figures[MetricKey(*variant, "throughput")] = Metric((size,), f"unit {text}", "higher")
        figures[MetricKey(*variant, "latency")] = Metric((size,), f"unit {text}", "lower")
    first = Run(
        "run1",
        "2026-01-01T00:00:00+00:00",
        machine={"hostname": text, "cpu": text, "cores": text, "memory_bytes": text, "accelerators": [text]},
        software={"python": "3.11"},
        commit=text,
        branch=text,
        variants={key: facts, other: replace(facts, status="passed", params={"micro_batch_size": "8"})},
        metrics=figures,
    )
    second = replace(first, run_id="run2", started_utc=f"2026 {text}", software={"python": text})
    judged = tuple(
        MetricVerdict(
            one, Verdict.REGRESSED, f"unit {text}", None, 1.0, 2.0, 2.0, 1.9, 2.1, reason=f"judged {text}"
        )
        for one in figures
    )
    gone = MetricKey(
        f"gone suite {text}", f"gone benchmark {text}", f"gone variant {text}", f"gone metric {text}"
    )
    acceptance = Acceptance(f"user {text}", f"moment {text}", f"intended {text}")
    accepted = [ReportedRegression(one, second, first, acceptance=acceptance) for one in (metric, gone)]
    comparison = Comparison(f"base {text}", f"new {text}", judged, differences=(f"kernel: {text}",))
    return report_page([first, second], comparison, reported=accepted)


@pytest.mark.parametrize("attack", ATTACKS)
def test_markup_in_any_text_is_shown_and_not_obeyed(open_page: OpenPage, attack: str) -> None:
    page = open_page(page_of(attack))
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    page.locator(".nights tbody tr").first.wait_for()
    page.locator("article .plot[data-figure]").first.scroll_into_view_if_needed()
    assert page.evaluate("window.obeyed") is None
    assert page.locator("iframe, img, textarea").count() == 0
    assert page.locator("script").count() == 2
    reported = page.locator("main").text_content()
    for what in (
        "suite",
        "benchmark",
        "metric",
        "unit",
        "reason",
        "judged",
        "setting",
        "command",
        "warning",
        "log",
        "kernel:",
        "gone metric",
        "user",
        "moment",
        "intended",
    ):
        assert f"{what} {attack}" in reported, what
    header = page.locator("header").text_content()
    assert header.count(attack) >= 5
    assert attack in page.locator("article [role=slider]").first.get_attribute("aria-valuetext")


def test_a_script_that_comes_in_later_is_refused_by_the_policy(open_page: OpenPage) -> None:
    page = open_page(page_of("harmless"), complains=True)
    refused = page.evaluate(
        """() => new Promise((done) => {
          const tell = (event) => done([event.effectiveDirective, window.obeyed ?? null]);
          addEventListener("securitypolicyviolation", tell);
          const script = document.createElement("script");
          script.textContent = "window.obeyed = 1";
          document.body.append(script);
        })"""
    )
    assert refused == ["script-src-elem", None]


def test_nothing_can_be_loaded_from_a_network(open_page: OpenPage) -> None:
    text = page_of("harmless")
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    page = open_page(text, complains=True)
    assert (
        page.locator("meta[http-equiv=Content-Security-Policy]")
        .get_attribute("content")
        .startswith("default-src 'none'")
    )
    assert page.evaluate("fetch('http://127.0.0.1:9/').catch((error) => error.message)") == "Failed to fetch"


@pytest.mark.parametrize(
    "text", ["\x00\x1b[31mred\x1b[0m\x08", "\ud800 alone", "\u202eredro thgir", "日本語 🚀", "a" * 5000]
)
def test_texts_that_a_document_cannot_hold_as_they_are_do_not_break_the_page(
    open_page: OpenPage, text: str
) -> None:
    page = open_page(page_of(text))
    assert page.locator("#-table tbody tr").count() == 7
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
