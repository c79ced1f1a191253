"""The report: one HTML file that needs nothing else, neither a network nor another file."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from examples_utils.comparison.change_points import Change
from examples_utils.comparison.statement import (
    BY_URGENCY,
    change_text,
    interval_text,
    movement_line,
    title_of,
)
from examples_utils.comparison.verdicts import Comparison, Judged, Verdict
from examples_utils.figures import MetricKey, Run, VariantKey
from examples_utils.report import wording
from examples_utils.report.anchors import anchors
from examples_utils.report.batch_sizes import front, trade_offs
from examples_utils.report.nights import nights, variant_nights
from examples_utils.report.packing import columns, packed
from examples_utils.report.sections import (
    BenchmarkSection,
    Row,
    VariantSection,
    benchmark_sections,
    rows_by_urgency,
)
from examples_utils.report.series import Series, collect_series
from examples_utils.summary import format_figure

# What keeps the page below 6 MB: a night of a figure takes about 5 bytes, a line of a log 80.
MOST_POINTS = 500_000
_MOST_LOG_LINES, _MOST_LOG_CHARACTERS = 40, 4_000
_MOST_CARDS = 30
_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "data.js",
    "history_plot.js",
    "batch_size_plot.js",
    "table.js",
    "sections.js",
    "theme.js",
    "start.js",
)
_REACH = (
    0.05,
    0.3,
)  # the change at the ends of the small plots of intervals: where there is none, and at most


def report_page(
    runs: Sequence[Run],
    comparison: Comparison,
    changes: Sequence[Change] = (),
    base_run_ids: Collection[str] = (),
) -> str:
    """The page's text.

    Args:
        runs: the history, oldest first; the last of them is the one that is reported.
        comparison: of the last run with its base; the page shows its figures.
        changes: the change points of ``runs``.
        base_run_ids: the runs of the base, which the plots mark.
    """
    rows = rows_by_urgency(comparison, changes, runs)
    last = runs[-1] if runs else None
    sections = benchmark_sections(rows, last, trade_offs(last) if last else ())
    variants = [variant.key for section in sections for variant in section.variants]
    style = _text("page.css")
    script = "\n".join(map(_text, _SCRIPTS))
    return (
        _environment(runs)
        .get_template("page.html.jinja")
        .render(
            anchors=anchors(variants),
            cards=_cards(sections),
            comparison=comparison,
            counts=_counts(comparison),
            data=Markup(packed(_data(runs, rows, variants, base_run_ids))),
            last=last,
            most_cards=_MOST_CARDS,
            policy=_policy(style, script),
            reach=_reach(comparison),
            rows=rows,
            runs=runs,
            script=Markup(script),
            sections=sections,
            several_suites=len({key.suite for key in variants}) > 1,
            style=Markup(style),
        )
    )


def _cards(sections: Sequence[BenchmarkSection]) -> list[VariantSection]:
    """The variants that need attention, the most urgent first."""
    urgent = [variant for section in sections for variant in section.variants if variant.urgent]
    return sorted(urgent, key=lambda variant: min(row.number for row in variant.urgent))


def _data(
    runs: Sequence[Run], rows: Sequence[Row], variants: Sequence[VariantKey], base_run_ids: Collection[str]
) -> dict[str, Any]:
    place = {key: number for number, key in enumerate(variants)}
    found = collect_series(runs, [row.one.key for row in rows])
    limits = drawn_nights(found, [row.one.key for row in rows if row.leading])
    return {
        "nights": nights(runs, base_run_ids),
        "variants": [variant_nights(runs, key) for key in variants],
        "figures": [
            _figure(row, found.get(row.one.key), limits, len(runs))
            | {"variant": place[row.one.key.of_variant]}
            for row in rows
        ],
    }


def drawn_nights(found: Mapping[MetricKey, Series], leading: Sequence[MetricKey]) -> dict[MetricKey, int]:
    """How many nights of each figure are drawn: those that lead come first, the others share what is left."""
    limits: dict[MetricKey, int] = {}
    left = MOST_POINTS
    others = [key for key in found if key not in set(leading)]
    for group in ([key for key in leading if key in found], others):
        if not group:
            continue
        limit = max(left // len(group), 2)
        limits |= {key: min(limit, len(found[key].nights)) for key in group}
        left -= sum(limits[key] for key in group)
    return limits


def _figure(row: Row, series: Series | None, limits: Mapping[MetricKey, int], runs: int) -> dict[str, Any]:
    one = row.one
    described: dict[str, Any] = {
        "name": one.key.metric,
        "of": one.key.variant,
        "unit": one.unit or "",
        "verdict": one.verdict.value,
        "base": one.base,
        "steps": [
            [change.point.index, change.point.earliest, change.point.latest, change.point.ratio]
            for change in row.changes
            if change.point.index < runs
        ],
    }
    if series is None:
        return described
    drawn = series.newest(limits[one.key])
    return described | columns(drawn) | {"all": len(series.nights), "otherUnit": series.other_unit}


def _environment(runs: Sequence[Run]) -> Environment:
    """The template's filters. Everything that is not marked as our own is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "broken_after": _broken_after,
        "change": lambda one: _minus(change_text(one)),
        "counted": wording.counted,
        "date": wording.date,
        "evidence": wording.evidence,
        "figure": format_figure,
        "first_upper": _first_upper,
        "front": front,
        "glyph": _glyph,
        "interval": lambda one: _minus(interval_text(one)),
        "log_tail": log_tail,
        "machine": wording.machine_line,
        "moment": wording.moment,
        "number": _number,
        "title_of": title_of,
        "relative": lambda one: _minus(wording.relative(one)),
        "since": lambda regression: wording.since(regression, runs),
        "step": lambda change: f"{_minus(f'{change.point.ratio - 1:+.1%}')} {wording.step(change)}",
        "small": wording.small,
        "slug": lambda verdict: verdict.value.replace(" ", "-"),
    }
    environment.globals |= {
        "commit": wording.commit,
        "headline": wording.headline,
        "movement_line": lambda comparison: _minus(movement_line(comparison)),
        "Verdict": Verdict,
    }
    environment.finalize = _printable
    return environment


def log_tail(text: str) -> str:
    """The last lines of a log, as many as the page can hold of each variant."""
    lines = wording.printable(text).rstrip().splitlines()[-_MOST_LOG_LINES:]
    return "\n".join(lines)[-_MOST_LOG_CHARACTERS:]


def _printable(value: object) -> object:
    return wording.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _broken_after(title: str, benchmark: str) -> Markup:
    """A long name is best broken between its benchmark's and what its variant adds."""
    title, benchmark = wording.printable(title), wording.printable(benchmark)
    added = title.removeprefix(f"{benchmark}_")
    return escape(title) if added == title else escape(f"{benchmark}_") + Markup("<wbr>") + escape(added)


def _minus(text: str) -> str:
    """A hyphen before a figure is a minus, and is read as one."""
    return text.replace("-", "−")


def _counts(comparison: Comparison) -> list[tuple[Verdict, int]]:
    counted = Counter(one.verdict for one in comparison.judged)
    return [(verdict, counted[verdict]) for verdict in BY_URGENCY if counted[verdict]]


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(value: float) -> str:
    """A figure as HTML and JavaScript write numbers, with all its digits."""
    return repr(value).replace("inf", "Infinity")


def _reach(comparison: Comparison) -> float:
    """The change at the ends of the small plots of intervals."""
    ends = [abs(end - 1) for one in comparison.judged for end in (one.low, one.high) if end is not None]
    return min(max(ends, default=0.0), _REACH[1]) or _REACH[0]


def _glyph(one: Judged, reach: float) -> dict[str, float] | None:
    """Where in a plot from -50 to 50 the interval, the ratio and the threshold lie; None without an interval."""
    if one.ratio is None or one.low is None or one.high is None:
        return None
    threshold = 0.0 if one.threshold is None else one.threshold

    def place(change: float) -> float:
        return round(max(-50.0, min(50.0, 50 * change / reach)), 1)

    places = {"low": place(one.low - 1), "ratio": place(one.ratio - 1), "high": place(one.high - 1)}
    return places | {"threshold": place(threshold)}


def _policy(style: str, script: str) -> str:
    """Nothing is loaded from anywhere, and no script or style runs but the page's own."""
    ours = f"script-src {_digest(script)}; style-src {_digest(style)}"
    return f"default-src 'none'; {ours}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
