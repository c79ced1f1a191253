"""The report as GitHub's Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.comparison.change_points import Change
from examples_utils.comparison.formats.markdown import escaped
from examples_utils.comparison.formats.table import HEADER, NUMERIC, row_of
from examples_utils.comparison.statement import BY_URGENCY, head_lines, title_of
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.figures import Run
from examples_utils.record import FAILED
from examples_utils.report import wording
from examples_utils.report.sections import Row, rows_by_urgency
from examples_utils.tables import plain_table

# GitHub refuses comments of more than 65,536 characters.
MOST_CHARACTERS = 60_000
_MOST_LOG_CHARACTERS = 2_000
# These are shown at once, the others are folded.
_SHOWN = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)


def report_comment(runs: Sequence[Run], comparison: Comparison, changes: Sequence[Change] = ()) -> str:
    """The comment's text: the verdicts, since when, and, folded, what did not change and how failures ended.

    ``runs`` are oldest first, the last one is the reported one; ``changes`` are their change points. Of a suite that is
    too large for a comment the most urgent figures are shown, and how many are not.
    """
    rows = rows_by_urgency(comparison, changes, runs)
    text = f"### {_said(wording.headline(comparison))}\n\n"
    text += "".join(f"- {_said(line)}\n" for line in head_lines(comparison))
    for verdict in BY_URGENCY:
        of_verdict = [row for row in rows if row.one.verdict is verdict]
        if of_verdict:
            text += _block(verdict, of_verdict, runs, MOST_CHARACTERS - len(text))
    for log in _logs_of_failures(runs[-1]) if runs else ():
        if len(text) + len(log) <= MOST_CHARACTERS:
            text += log
    return text


def _block(verdict: Verdict, rows: Sequence[Row], runs: Sequence[Run], space: int) -> str:
    """The figures of one verdict, as many as there is space for."""
    shown = len(rows)
    while True:
        left = f"\n\n… and {len(rows) - shown} more" if shown < len(rows) else ""
        table = f"{_table(rows[:shown], runs)}{left}" if shown else left.strip()
        block = f"\n{table}\n"
        if verdict not in _SHOWN:
            block = f"\n<details><summary>{len(rows)} {verdict.value}</summary>\n{block}\n</details>\n"
        if len(block) <= space or not shown:
            return block
        shown = shown * 9 // 10 if shown > 10 else shown - 1


def _table(rows: Sequence[Row], runs: Sequence[Run]) -> str:
    dated = any(row.regression for row in rows)
    header = [*HEADER, "since"] if dated else HEADER
    cells = []
    for row in rows:
        since = [wording.since(row.regression, runs) if row.regression else ""] if dated else []
        cells.append([_said(cell) for cell in (*row_of(row.one), *since)])
    return plain_table(header, cells, NUMERIC)


def _logs_of_failures(run: Run) -> list[str]:
    logs = []
    for key, facts in run.variants.items():
        if facts.status != FAILED or not facts.log_tail:
            continue
        lines = wording.printable(facts.log_tail)[-_MOST_LOG_CHARACTERS:].strip().splitlines()
        log = "\n".join(map(_as_html, lines))
        title = _as_html(title_of(key))
        logs.append(
            f"\n<details><summary>end of the log of {title}</summary>\n\n<pre>\n{log}\n</pre>\n\n</details>\n"
        )
    return logs


def _said(text: str) -> str:
    return escaped(wording.printable(text))


def _as_html(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
