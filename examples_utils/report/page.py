"""The report: one self-contained HTML file, without network access."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from markupsafe import Markup

from examples_utils.comparison.changes import Change
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.text import BY_URGENCY
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.history.regressions import ReportedRegression
from examples_utils.report.anchors import anchors
from examples_utils.report.batch_sizes import trade_offs
from examples_utils.report.packing import packed
from examples_utils.report.page_data import page_data
from examples_utils.report.sections import (
    BenchmarkSection,
    VariantSection,
    benchmark_sections,
    rows_by_urgency,
)
from examples_utils.report.template import page_template
from examples_utils.run_model import Run

_MAX_CARDS = 30
# The change at the ends of the small interval plots: the default, and the maximum.
_LEAST_REACH, _MAX_REACH = 0.05, 0.3
_SCRIPTS = ("data.js", "history_plot.js", "batch_size_plot.js", "table.js", "sections.js", "theme.js",
            "start.js")  # fmt: skip


def report_page(
    runs: Sequence[Run],
    comparison: Comparison,
    changes: Sequence[Change] = (),
    base_run_ids: Collection[str] = (),
    regressions: Sequence[Regression] = (),
    reported: Sequence[ReportedRegression] = (),
    power: str = "",
) -> str:
    """Returns the page.

    Args:
        runs: The history of one machine, oldest first; the last of them is the one that is reported.
        comparison: The last run compared with its base; the page shows its metrics.
        changes: The change points of `runs`.
        base_run_ids: The runs of the base, which the plots mark.
        regressions: The onset of each regression.
        reported: Regressions that the comparison does not show: open ones of earlier nights, and accepted ones.
        power: A sentence about the changes that could not have been called.
    """
    rows = rows_by_urgency(comparison, changes, regressions)
    last = runs[-1] if runs else None
    sections = benchmark_sections(rows, last, trade_offs(last) if last else ())
    variants = [variant.key for section in sections for variant in section.variants]
    style = _text("page.css")
    script = "\n".join(map(_text, _SCRIPTS))
    return page_template(runs).render(
        anchors=anchors(variants),
        cards=_cards(sections),
        comparison=comparison,
        counts=_counts(comparison),
        data=Markup(packed(page_data(runs, rows, variants, base_run_ids))),
        last=last,
        most_cards=_MAX_CARDS,
        policy=_policy(style, script),
        power=power,
        reach=_reach(comparison),
        reported=reported,
        rows=rows,
        script=Markup(script),
        sections=sections,
        several_suites=len({key.suite for key in variants}) > 1,
        style=Markup(style),
    )


def _cards(sections: Sequence[BenchmarkSection]) -> list[VariantSection]:
    """Returns the variants that need attention, the most urgent first."""
    urgent = [variant for section in sections for variant in section.variants if variant.urgent]
    return sorted(urgent, key=lambda variant: min(row.number for row in variant.urgent))


def _counts(comparison: Comparison) -> list[tuple[Verdict, int]]:
    counted = Counter(one.verdict for one in comparison.judged)
    return [(verdict, counted[verdict]) for verdict in BY_URGENCY if counted[verdict]]


def _reach(comparison: Comparison) -> float:
    """Returns the change at the ends of the small interval plots."""
    ends = [abs(end - 1) for one in comparison.judged for end in (one.low, one.high) if end is not None]
    return min(max(ends, default=0.0), _MAX_REACH) or _LEAST_REACH


def _policy(style: str, script: str) -> str:
    """Returns a policy that loads nothing, and allows no script or style but the page's own."""
    ours = f"script-src {_digest(script)}; style-src {_digest(style)}"
    return f"default-src 'none'; {ours}; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (Path(__file__).parent / "assets" / name).read_text(encoding="utf-8")
