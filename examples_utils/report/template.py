"""The page's template and its filters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from examples_utils.comparison import text
from examples_utils.comparison.verdicts import MetricVerdict, Verdict
from examples_utils.report import page_text
from examples_utils.report.batch_sizes import front
from examples_utils.results.tables import format_metric
from examples_utils.run_model import Run

# The maximum that the page shows of each variant's log.
_MAX_LOG_LINES, _MAX_LOG_CHARACTERS = 40, 4_000
_MINUS = re.compile(r"(?<![\w.])-(?=\d)")


def page_template(runs: Sequence[Run]) -> Template:
    """Returns the template with its filters for a page of `runs`. Everything not marked as safe is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "broken_after": _broken_after,
        "change": lambda one: _minus(text.change_text(one)),
        "acceptance": text.acceptance_text,
        "cause": text.reported_cause,
        "counted": text.counted,
        "date": text.date,
        "evidence": page_text.evidence,
        "figure": format_metric,
        "first_upper": _first_upper,
        "front": front,
        "glyph": _glyph,
        "interval": lambda one: _minus(text.interval_text(one)),
        "log_tail": log_tail,
        "machine": page_text.machine_line,
        "moment": text.moment,
        "number": _number,
        "title_of": text.title_of,
        "reported_change": lambda one: _minus(text.reported_change(one)),
        "relative": lambda one: _minus(text.relative(one)),
        "since": lambda row: text.since_text(row.regression) if row.regression else "",
        "step": lambda change: f"{_minus(f'{change.point.ratio - 1:+.1%}')} {text.step_text(change, runs)}",
        "small": page_text.small,
        "slug": lambda verdict: verdict.value.replace(" ", "-"),
    }
    environment.globals |= {
        "commit": text.commit,
        "headline": page_text.headline,
        "movement_line": lambda comparison: _minus(text.movement_line(comparison)),
        "Verdict": Verdict,
    }
    environment.finalize = _printable
    return environment.get_template("page.html.jinja")


def log_tail(text: str) -> str:
    """Returns the last lines of a log, up to the maximum for each variant."""
    lines = page_text.printable(text).rstrip().splitlines()[-_MAX_LOG_LINES:]
    return "\n".join(lines)[-_MAX_LOG_CHARACTERS:]


def _printable(value: object) -> object:
    return page_text.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _broken_after(title: str, benchmark: str) -> Markup:
    """Allows a line break in a long name between its benchmark's name and the rest."""
    title, benchmark = page_text.printable(title), page_text.printable(benchmark)
    added = title.removeprefix(f"{benchmark}_")
    return escape(title) if added == title else escape(f"{benchmark}_") + Markup("<wbr>") + escape(added)


def _minus(text: str) -> str:
    """Replaces a hyphen before a number with a minus sign."""
    return _MINUS.sub("−", text)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float) -> str:
    """Formats a value as HTML and JavaScript write numbers, with all its digits."""
    return repr(value).replace("inf", "Infinity")


def _glyph(one: MetricVerdict, reach: float) -> dict[str, float] | None:
    """Returns the positions of interval, ratio and threshold in a plot from -50 to 50; None without an interval."""
    if one.ratio is None or one.low is None or one.high is None:
        return None
    threshold = 0.0 if one.threshold is None else one.threshold

    def place(change: float) -> float:
        return round(max(-50.0, min(50.0, 50 * change / reach)), 1)

    places = {"low": place(one.low - 1), "ratio": place(one.ratio - 1), "high": place(one.high - 1)}
    return places | {"threshold": place(threshold)}
