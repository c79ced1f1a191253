"""The report as GitHub Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.comparison.changes import Change
from examples_utils.comparison.formats.markdown import escaped
from examples_utils.comparison.formats.table import HEADER, NUMERIC, row_of
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.text import (
    BY_URGENCY,
    accepted_line,
    head_lines,
    open_regression_line,
    since_text,
    title_of,
)
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.history.regressions import ReportedRegression
from examples_utils.report import page_text
from examples_utils.report.sections import Row, rows_by_urgency
from examples_utils.results.record import FAILED
from examples_utils.results.tables import plain_table
from examples_utils.run_model import Run

# GitHub rejects comments of more than 65,536 characters.
MAX_CHARACTERS = 60_000
_MAX_LOG_CHARACTERS = 2_000
_MAX_REPORTED = 30
# Shown at once; the others are folded.
_SHOWN = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)


def report_comment(
    runs: Sequence[Run],
    comparison: Comparison,
    changes: Sequence[Change] = (),
    regressions: Sequence[Regression] = (),
    reported: Sequence[ReportedRegression] = (),
    power: str = "",
) -> str:
    """Returns the comment: the verdicts, their onset, and, folded, unchanged metrics and the logs of failures.

    `runs` are oldest first, the last one is the reported one; `changes` are their change points, and
    `regressions` give the onset of each regression; `reported` and `power` are as for `page.report_page`. If a suite is
    too large for a comment, the most urgent metrics are shown, and the number of hidden ones.
    """
    rows = rows_by_urgency(comparison, changes, regressions)
    text = f"### {_escaped(page_text.headline(comparison, reported))}\n\n"
    head = [*head_lines(comparison), *([power] if power else ())]
    lines = [accepted_line(one) if one.acceptance else open_regression_line(one) for one in reported]
    hidden = [f"... and {len(lines) - _MAX_REPORTED} more"] if len(lines) > _MAX_REPORTED else []
    text += "".join(f"- {_escaped(line)}\n" for line in (*head, *lines[:_MAX_REPORTED], *hidden))
    for verdict in BY_URGENCY:
        of_verdict = [row for row in rows if row.one.verdict is verdict]
        if of_verdict:
            text += _block(verdict, of_verdict, MAX_CHARACTERS - len(text))
    for log in _logs_of_failures(runs[-1]) if runs else ():
        if len(text) + len(log) <= MAX_CHARACTERS:
            text += log
    return text


def _block(verdict: Verdict, rows: Sequence[Row], space: int) -> str:
    """Returns the metrics of one verdict, as many as fit into the space."""
    begin, end = "\n", "\n"
    if verdict not in _SHOWN:
        begin, end = f"\n<details><summary>{len(rows)} {verdict.value}</summary>\n\n", "\n\n</details>\n"
    header, rule, *lines = _table(rows).splitlines()
    # All lines of a table have the same length. The count of hidden ones takes a line as well.
    shown = max((space - len(begin) - len(end) - 40) // (len(header) + 1) - 2, 0)
    left = f"\n\n… and {len(lines) - shown} more" if shown < len(lines) else ""
    table = "\n".join([header, rule, *lines[:shown]]) if shown else ""
    return f"{begin}{table}{left}{end}"


def _table(rows: Sequence[Row]) -> str:
    dated = any(row.regression for row in rows)
    header = [*HEADER, "since"] if dated else HEADER
    cells = []
    for row in rows:
        since = [_since(row)] if dated else []
        cells.append([_escaped(cell) for cell in (*row_of(row.one), *since)])
    return plain_table(header, cells, NUMERIC)


def _since(row: Row) -> str:
    return since_text(row.regression) if row.regression else ""


def _logs_of_failures(run: Run) -> list[str]:
    logs = []
    for key, facts in run.variants.items():
        if facts.status != FAILED or not facts.log_tail:
            continue
        lines = page_text.printable(facts.log_tail)[-_MAX_LOG_CHARACTERS:].strip().splitlines()
        log = "\n".join(map(_as_html, lines))
        title = _as_html(title_of(key))
        logs.append(
            f"\n<details><summary>end of the log of {title}</summary>\n\n<pre>\n{log}\n</pre>\n\n</details>\n"
        )
    return logs


def _escaped(text: str) -> str:
    return escaped(page_text.printable(text))


def _as_html(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
