"""A real browser, which records all requests and errors of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_READY = """new Promise((done) => new PerformanceObserver((list) => {
  for (const mark of list.getEntries()) if (mark.name === "ready") done(mark.startTime);
}).observe({ type: "mark", buffered: true }))"""
OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, one for all tests of a process."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("needs a browser: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """`open_page(text, fragment="", **context)`: the page when it is ready; in the end it must have been quiet.

    Not with `complains`: then something is tried that the browser complains about.
    """
    asked, complaints = [], []
    contexts = []

    def open_it(text: str, fragment: str = "", complains: bool = False, **options: Any) -> Page:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        context = browser.new_context(**({"reduced_motion": "reduce"} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(10_000)
        if not complains:
            page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"file://{file}{fragment}")
        if options.get("java_script_enabled", True):
            page.evaluate(_READY)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert {url.partition("#")[0] for url in asked} <= {f"file://{tmp_path}/report.html"}
    assert complaints == []
