"""A comparison as GitHub Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from examples_utils.comparison.formats.table import HEADER, NUMERIC, row_of
from examples_utils.comparison.text import by_urgency, counts_line, head_lines
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.results.tables import plain_table

_MEANS_SOMETHING = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}  # @ would notify the user of that name


def comparison_markdown(comparison: Comparison) -> str:
    """Returns the counts as headline, then what concerns all metrics, a table, and a folded one of the unchanged."""
    verdicts = by_urgency(comparison)
    quiet = [one for one in verdicts if one.verdict is Verdict.UNCHANGED]
    loud = [one for one in verdicts if one.verdict is not Verdict.UNCHANGED]
    counts = counts_line(comparison)
    parts = [f"**{escaped(counts)}**"]
    parts.append("\n".join(f"- {escaped(line)}" for line in head_lines(comparison) if line != counts))
    if loud:
        parts.append(_table(loud))
    if quiet:
        parts.append(f"<details><summary>{len(quiet)} unchanged</summary>\n\n{_table(quiet)}\n\n</details>")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Escapes everything in the text that has a meaning in Markdown or HTML."""
    as_html = "".join(_ENTITIES.get(character, character) for character in " ".join(text.split()))
    return _MEANS_SOMETHING.sub(lambda match: f"\\{match[0]}", as_html)


def _table(verdicts: Sequence[MetricVerdict]) -> str:
    rows = [[escaped(cell) for cell in row_of(one)] for one in verdicts]
    return plain_table(HEADER, rows, NUMERIC)
