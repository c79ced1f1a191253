"""The report of a large history: time to write it, time to open it, and its size."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from bench.command import run_command, seconds
from bench.history_nights import BENCHMARKS, NIGHTS, fill
from bench.targets import Row, Target
from examples_utils.cli.arguments.report import NIGHTS as SHOWN_NIGHTS
from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.options import CompareOptions
from examples_utils.history.store import open_history
from examples_utils.report.page import report_page
from examples_utils.run_model import MetricKey, Run

ROUNDS = 3
_METRICS = 5  # of a variant in that history
_MANY = 3  # times as many
_READY = """new Promise((done) => new PerformanceObserver((list) => {
  for (const mark of list.getEntries()) if (mark.name === "ready") done(mark.startTime);
}).observe({ type: "mark", buffered: true }))"""


def measure_all() -> Iterator[Row]:
    """The rows of the report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'history.db'}"
        fill(url)
        command = [sys.executable, "-m", "examples_utils", "report", "--history", url, "--output"]
        page = folder / "report.html"
        times_s = [seconds(partial(run_command, [*command, str(page)])) for _ in range(ROUNDS)]
        yield Row(
            f"`report` from a SQLite history of {NIGHTS * BENCHMARKS * _METRICS:,} metric rows",
            median(times_s),
            target=Target(at_most=10),
            unit="s",
            decimals=1,
        )
        title = f"page of {BENCHMARKS} benchmarks × {SHOWN_NIGHTS} nights"
        yield from _page_rows(f"{title}, {_METRICS} metrics each", page)
        many = folder / "many.html"
        many.write_text(_page_of_more_metrics(url), encoding="utf-8")
        yield from _page_rows(f"{title}, {_METRICS * _MANY} metrics each", many)


def _page_rows(title: str, page: Path) -> Iterator[Row]:
    megabytes, open_s = page.stat().st_size / 1e6, median(_open_times_s(page))
    yield Row(f"{title}: size", megabytes, target=Target(at_most=6), unit="MB", decimals=2)
    yield Row(f"{title}: opening in Chromium", open_s, target=Target(at_most=3), unit="s", decimals=2)


def _open_times_s(page: Path) -> Sequence[float]:
    """From the start of navigation until filter, sorting and the visible plots are ready; each in a new profile."""
    times_s = []
    with sync_playwright() as playwright:
        for _ in range(ROUNDS):
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            tab = browser.new_page()
            tab.goto(f"file://{page}", wait_until="commit")
            times_s.append(tab.evaluate(_READY) / 1000)
            browser.close()
    return times_s


def _page_of_more_metrics(url: str) -> str:
    with open_history(url) as history:
        newest = [summary.run_id for summary in history.runs(limit=SHOWN_NIGHTS)]
        runs = [_with_more_metrics(run) for run in history.load(newest[::-1])]
    options = CompareOptions()
    base = runs[-1 - options.nights_needed : -1]
    return report_page(runs, compare_night(base, runs[-1], options), (), [run.run_id for run in base])


def _with_more_metrics(run: Run) -> Run:
    copies = {
        MetricKey(*key.of_variant, f"{key.metric}_{number}" if number else key.metric): metric
        for key, metric in run.metrics.items()
        for number in range(_MANY)
    }
    return replace(run, metrics=copies)
