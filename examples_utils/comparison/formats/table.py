"""A comparison as a table: what needs attention first, unchanged metrics folded into one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from examples_utils.comparison.text import (
    by_urgency,
    change_text,
    counts_line,
    head_lines,
    interval_text,
    title_of,
    why,
)
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.control_characters import escaped
from examples_utils.results.tables import format_metric, plain_table, terminal_table

HEADER = ("verdict", "variant", "metric", "base", "new", "unit", "change", "95% interval", "why")
NUMERIC = (3, 4, 6, 7)
_STYLES = {
    Verdict.REGRESSED: "bold red",
    Verdict.FAILED: "bold red",
    Verdict.MISSING: "yellow",
    Verdict.NOT_COMPARABLE: "yellow",
    Verdict.UNCERTAIN: "yellow",
    Verdict.IMPROVED: "green",
    Verdict.NEW: "cyan",
    Verdict.UNCHANGED: "",
}


# More than these, the largest changes of all uncertain metrics, would hide certain ones in a noisy suite.
_MAX_UNCERTAIN = 10


def comparison_table(comparison: Comparison, show_all: bool, width: int | None, colours: bool) -> str:
    """Returns head lines, one row per metric, and how many are hidden. `width` is None for a file or a pipe."""
    verdicts = by_urgency(comparison)
    shown, hidden = (verdicts, []) if show_all else _urgent_ones(verdicts)
    parts = [escaped("\n".join(head_lines(comparison)))]
    if shown:
        rows = [row_of(one) for one in shown]
        styles = [_STYLES[one.verdict] or "none" for one in shown] if colours else None
        parts.append(
            plain_table(HEADER, rows, NUMERIC)
            if width is None
            else terminal_table(HEADER, rows, NUMERIC, width, styles)
        )
    if hidden:
        counts = counts_line(replace(comparison, judged=tuple(hidden)))
        parts.append(f"{counts} {'is' if len(hidden) == 1 else 'are'} not shown; --all shows them")
    return "\n\n".join(parts) + "\n"


def _urgent_ones(verdicts: Sequence[MetricVerdict]) -> tuple[list[MetricVerdict], list[MetricVerdict]]:
    """Returns the metrics to show, and the others, each in their order."""
    shown: list[MetricVerdict] = []
    hidden: list[MetricVerdict] = []
    uncertain = 0
    for one in verdicts:
        uncertain += one.verdict is Verdict.UNCERTAIN
        is_one_too_many = one.verdict is Verdict.UNCERTAIN and uncertain > _MAX_UNCERTAIN
        (hidden if is_one_too_many or one.verdict is Verdict.UNCHANGED else shown).append(one)
    return shown, hidden


def row_of(one: MetricVerdict) -> Sequence[str]:
    """Returns the cells of one metric, under `HEADER`."""
    return (
        one.verdict.value,
        title_of(one.key),
        one.key.metric,
        format_metric(one.base),
        format_metric(one.new),
        one.unit or "",
        change_text(one),
        interval_text(one),
        why(one),
    )
