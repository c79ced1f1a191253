"""Everybody can read the page: by keyboard, with a screen reader, on a phone, in the dark."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

from examples_utils.comparison.verdicts import MachineDrift, Verdict
from examples_utils.history.regressions import Acceptance, ReportedRegression
from examples_utils.report.page import report_page
from examples_utils.run_model import MetricKey
from tests.examples_utils.report.conftest import OpenPage
from tests.examples_utils.report.simulated_nights import (
    simulated_changes,
    simulated_comparison,
    simulated_runs,
    variant,
)

LONG = "pytorch_efficientnet_b4_g16_gn_minlatency_infer_generated_data_with_a_long_name"
SLOWER = {variant("resnet50_infer", 8): (17, 1.08), variant(LONG, 1): (17, 0.9)}
RUNS = simulated_runs(20, ("resnet50_infer", LONG), (1, 8), slower=SLOWER, noise=0.003)


def _every_verdict() -> str:
    """A page on which each verdict, both banners, both lists and every kind of fold is to be seen."""
    comparison = simulated_comparison(RUNS)
    kinds = [*Verdict, *[Verdict.UNCHANGED] * 4]
    judged = [
        replace(one, verdict=verdict, reason="a sentence", needed=12)
        for one, verdict in zip(comparison.judged, kinds, strict=True)
    ]
    failed = variant("resnet50_infer", 1)
    variants = dict(RUNS[-1].variants)
    variants[failed] = replace(
        variants[failed], status="failed", reason="exit code 1", warnings=("it was warm",)
    )
    runs = [*RUNS[:-1], replace(RUNS[-1], variants=variants)]
    comparison = replace(
        comparison,
        judged=tuple(judged),
        movement=MachineDrift(1.04, 1.03, 1.05, 0.9, {"compute": 1.04}),
        differences=("kernel: 6.1 → 6.2",),
    )
    regression = ReportedRegression(
        MetricKey(*variant(LONG, 8), "latency"), RUNS[17], RUNS[16], 1.1, 1.09, 1.11
    )
    accepted = replace(
        regression, acceptance=Acceptance("Ada (ada@vm)", RUNS[-1].started_utc, "sharper images")
    )
    return report_page(
        runs,
        comparison,
        simulated_changes(RUNS, SLOWER),
        [run.run_id for run in RUNS[:-1]],
        reported=(regression, accepted),
        power="19 nights of history: changes below about 2.3% cannot be called",
    )


PAGE = _every_verdict()
_FOCUSED = """[document.activeElement.getAttribute("role") ?? document.activeElement.tagName,
  getComputedStyle(document.activeElement).outlineStyle]"""


def script(name: str) -> str:
    """What the browser is to do, and to answer."""
    return Path(__file__).with_name(name).read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_against_what_is_behind_it(open_page: OpenPage, scheme: str) -> None:
    page = open_page(PAGE, color_scheme=scheme)
    page.evaluate(script("everything_open.js"))
    found = page.evaluate(script("texts_of_low_contrast.js"))
    assert found["seen"] > 300
    assert found["low"] == []


def test_the_page_is_light_or_dark_as_the_system_is_until_the_button_says_otherwise(
    open_page: OpenPage,
) -> None:
    def is_dark(page: Page) -> bool:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return int(re.findall(r"\d+", colour)[0]) < 128

    light = open_page(PAGE, color_scheme="light")
    dark = open_page(PAGE, color_scheme="dark")
    assert (is_dark(light), is_dark(dark)) == (False, True)
    light.get_by_role("button", name="Switch between dark and light").press("Enter")
    dark.get_by_role("button", name="Switch between dark and light").press("Enter")
    assert (is_dark(light), is_dark(dark)) == (True, False)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_width_of_screen_needs_scrolling_sideways(open_page: OpenPage, width: int) -> None:
    page = open_page(PAGE, viewport={"width": width, "height": 800})
    page.evaluate(script("everything_open.js"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(script("beyond_the_screen.js")) == []


def test_headings_descend_one_by_one(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((heading) => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_everything_has_a_name_of_its_own_for_a_screen_reader(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.evaluate(script("everything_open.js"))
    assert page.evaluate(script("faults_of_access.js")) == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main, header, footer").count() == 3
    assert page.get_by_role("slider").count() == 12


def test_the_whole_page_can_be_walked_by_keyboard_and_the_focus_is_seen(open_page: OpenPage) -> None:
    page = open_page(PAGE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "-figures"
    walked = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        tag, outline = page.evaluate(_FOCUSED)
        walked.add(tag)
        assert outline != "none", tag
    assert walked >= {"INPUT", "SELECT", "BUTTON", "A", "SUMMARY", "slider", "region"}


def test_nothing_moves_by_itself_for_those_who_ask_for_that(open_page: OpenPage) -> None:
    calm = open_page(PAGE, reduced_motion="reduce")
    assert calm.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    assert calm.evaluate("document.getAnimations().length") == 0
