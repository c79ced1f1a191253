"""The `report` command: a run of the history with the nights before it, as a page or as a comment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples_utils.cli.arguments.report import FORMATS, PAGE_FILE
from examples_utils.comparison.changes import Change, changes
from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.compare_runs import compare_runs
from examples_utils.comparison.onset import Regression, regressions
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.output import check_output
from examples_utils.comparison.verdicts import Comparison
from examples_utils.history.baseline import Tonight, choose
from examples_utils.history.location import opened_history
from examples_utils.history.regressions import ReportedRegression
from examples_utils.history.store import History
from examples_utils.nightly.open_regressions import (
    Evidence,
    accepted_ones,
    accepted_starts,
    of_series,
    open_ones,
)
from examples_utils.nightly.power import power_line, power_of
from examples_utils.problems import RequestError
from examples_utils.results.log_folder import write_durably
from examples_utils.run_model import Run


@dataclass(frozen=True)
class Nights:
    """A run as the last of its history, oldest first, and the runs of its baseline.

    `warnings` concern the latter; `reported` are the regressions that were reported on the run's machine.
    """

    runs: tuple[Run, ...]
    base: tuple[Run, ...]
    base_is_named: bool
    warnings: tuple[str, ...] = ()
    reported: tuple[ReportedRegression, ...] = ()

    @property
    def last(self) -> Run:
        """The reported run."""
        return self.runs[-1]


def report(parsed: argparse.Namespace) -> int:
    """Writes the report. Returns 0, whatever the verdicts.

    Raises:
        RequestError: The history or the run does not exist, or the file cannot be written.
    """
    output = parsed.output or (PAGE_FILE if parsed.format == FORMATS[0] else None)
    check_output(parsed.format, show_all=False, output=output)
    options = CompareOptions(threshold=parsed.threshold)
    with opened_history(parsed.history) as history:
        nights = read_nights(history, parsed.run, parsed.base, parsed.branch, parsed.nights, options)
    for warning in nights.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    text = _text(nights, options, parsed.format)
    if output is None:
        sys.stdout.write(text)
        return 0
    try:
        write_durably(Path(output), text)
    except OSError as error:
        raise RequestError(f"--output {output}: cannot be written: {error.strerror}") from None
    print(f"written to {output}")
    return 0


def read_nights(
    history: History, run: str, base: str | None, branch: str | None, nights: int, options: CompareOptions
) -> Nights:
    """Returns the run, and the last of the runs before it that count as nights: see `history.baseline`.

    Raises:
        RequestError: `run` or `base` names none, or `base` only the run itself.
    """
    run_id = history.resolve(run)[0]
    summaries = history.runs()
    place = next(i for i, summary in enumerate(summaries) if summary.run_id == run_id)
    reported_run = summaries[place]
    kind = Tonight(
        reported_run.machine_key,
        frozenset(reported_run.suites),
        branch or reported_run.branch,
        reported_run.dirty,
        reported_run.variants,
    )
    earlier = summaries[place + 1 :]
    # The baseline is that of a night, however many are shown: it excludes partial runs that only extend the list.
    of_base = choose(earlier, kind, options.nights_needed)[0] if base is None else []
    to_show = choose(earlier, kind, nights - 1)[0]
    loaded = {one.run_id: one for one in history.load([*{*of_base, *to_show}], log_tails=False)}
    (last,) = history.load([run_id])
    runs = (*(loaded[one] for one in to_show), last)
    reported = tuple(of_series(history.regressions(reported_run.machine_key), runs))
    if base is None:
        return Nights(runs, tuple(loaded[one] for one in of_base), False, reported=reported)
    found = history.resolve(base)
    warnings = history.shortfall(base, len(found))
    base_ids = [other for other in found if other != run_id]
    if not base_ids:
        raise RequestError(f"--base {base}: is the reported run itself; name an earlier one")
    return Nights(runs, tuple(history.load(base_ids[::-1], log_tails=False)), True, warnings, reported)


def evidence_of(nights: Nights, options: CompareOptions) -> Evidence:
    """Returns what a night finds in the reported run; if the base is named, what `compare` finds."""
    comparison = (
        compare_runs(nights.base, [nights.last], options)
        if nights.base_is_named
        else compare_night(nights.base, nights.last, options, accepted_starts(nights.reported, nights.base))
    )
    found = changes(nights.runs, options)
    return Evidence(nights.runs, comparison, _dated(nights, comparison, found, options), found)


def _dated(
    nights: Nights, comparison: Comparison, found: Sequence[Change], options: CompareOptions
) -> list[Regression]:
    """Returns the regressions of the comparison with their onset."""
    compared = (*nights.base, nights.last)
    # However few nights are shown, onsets are dated from all of them.
    dating = max(nights.runs, compared, key=len)
    steps = found if dating is nights.runs else changes(dating, options)
    return regressions(comparison, compared, steps, dating)


def _text(nights: Nights, options: CompareOptions, format_name: str) -> str:
    evidence = evidence_of(nights, options)
    comparison, found, worse = evidence.comparison, evidence.changes, evidence.called
    power = ""
    if not nights.base_is_named:
        accepted = accepted_starts(nights.reported, nights.base)
        power = power_line(power_of(nights.base, nights.last, comparison, options, accepted))
    still_open = open_ones(nights.reported, nights.last, {one.key for one in comparison.regressed})
    reported = (*still_open, *accepted_ones(nights.reported, nights.last))
    if format_name == FORMATS[0]:
        from examples_utils.report.page import report_page

        base_run_ids = [run.run_id for run in nights.base]
        return report_page(nights.runs, comparison, found, base_run_ids, worse, reported, power)
    from examples_utils.report.comment import report_comment

    return report_comment(nights.runs, comparison, found, worse, reported, power)
