"""A night: measure, rerun suspects, store, compare, report."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from examples_utils.comparison.changes import changes
from examples_utils.comparison.compare_night import compare_night
from examples_utils.comparison.formats import formatted
from examples_utils.comparison.onset import regressions
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import baseline_line, night_title, nights_title
from examples_utils.console import Console
from examples_utils.execution.interruption import Interrupted, Interruption
from examples_utils.execution.request import Request, checked_request
from examples_utils.execution.run import run_console, sum_up
from examples_utils.execution.runner import open_runner
from examples_utils.history.readers.results import read_results
from examples_utils.history.regressions import ReportedRegression
from examples_utils.machine.load import OtherLoad
from examples_utils.nightly.lock import only_night
from examples_utils.nightly.night_history import NightHistory, tonight_of
from examples_utils.nightly.open_regressions import Evidence, OpenList, accepted_starts, open_list
from examples_utils.nightly.page import check_report, write_page
from examples_utils.nightly.power import power_line, power_of
from examples_utils.nightly.rerun import rerun_suspects
from examples_utils.nightly.verdict import Night, verdict_json, verdict_lines
from examples_utils.planning.options import RunOptions
from examples_utils.planning.plan import schedule
from examples_utils.problems import RequestError
from examples_utils.report.page import report_page
from examples_utils.results.log_folder import new_log_folder, write_durably
from examples_utils.run_model import Run, VariantKey

VERDICT_FILE = "nightly_verdict.json"


@dataclass(frozen=True)
class NightOptions:
    """`history` as for `location.history_url`; `report` is a file or folder, None for the log folder."""

    run: RunOptions
    compare: CompareOptions
    history: str | None
    log_dir: str | None
    report: Path | None
    lock: Path
    show_all: bool = False


def run_night(options: NightOptions) -> int:
    """Runs a whole night. Returns the exit code: that of `verdict.Night`, or 128 + signal.

    Raises:
        RequestError: The request is wrong, or the history cannot be used; nothing has run.
    """
    other_load = OtherLoad()
    request = checked_request(options.run, dict(os.environ))
    check_report(options.report)
    with only_night(options.lock):
        history = NightHistory(options.history, tonight_of(request), options.compare.nights_needed)
        history.read_at_start()
        with (
            new_log_folder(options.log_dir, options.run, request.described()) as log_folder,
            run_console(request, log_folder) as console,
        ):
            if history.baseline:
                console.print(baseline_line(history.baseline))
            else:
                console.error(f"{history.problem}; trying again after the measurements")
            measured = _measure(options, request, log_folder, console, other_load, history)
            try:
                reading = read_results(log_folder)
            except RequestError as error:
                console.error(f"there is nothing to store or to compare: {error}")
                return measured.stopped.exitcode if measured.stopped else 1
            warnings, problem = history.add(reading, log_folder)
            for warning in warnings:
                console.warning(warning)
            if measured.stopped:
                if problem:
                    console.error(problem)
                return measured.stopped.exitcode
            problems = [text for text in (problem, history.problem, *reading.left_out) if text]
            night = _judge(options, reading.runs[-1], measured, log_folder, history, problems)
            _print_verdict(night, options, console)
            return night.exitcode


@dataclass
class _Measured:
    """How the measurements ended. `repeated` were rerun, so many times, because they looked slower."""

    failed: bool = False
    stopped: Interrupted | None = None
    repeated: dict[VariantKey, int] = field(default_factory=dict)


def _measure(
    options: NightOptions,
    request: Request,
    log_folder: Path,
    console: Console,
    other_load: OtherLoad,
    history: NightHistory,
) -> _Measured:
    begun_s, run, measured = time.monotonic(), options.run, _Measured()
    interruption = Interruption()
    with interruption.catching():
        try:
            with open_runner(request, log_folder, other_load, console, interruption.check) as runner:
                runner.run(schedule(request.plan, run.repeat, run.shuffle), run.repeat)
                history.read_if_not_read()
                if history.baseline:
                    runs = history.baseline.runs
                    accepted = accepted_starts(history.regressions, runs)
                    rerun_suspects(runner, runs, options.compare, measured.repeated, accepted)
        except Interrupted as error:
            measured.stopped = error
    measured.failed = sum_up(log_folder, console, time.monotonic() - begun_s, measured.stopped)
    return measured


def _judge(
    options: NightOptions,
    run: Run,
    measured: _Measured,
    log_folder: Path,
    history: NightHistory,
    problems: list[str],
) -> Night:
    baseline = history.baseline
    night = Night(run, log_folder, measured.failed, baseline, problems=problems)
    if baseline:
        nights = history.nights(run)
        found = changes(nights, options.compare)
        accepted = accepted_starts(history.regressions, baseline.runs)
        judged = compare_night(baseline.runs, run, options.compare, accepted)
        comparison = replace(judged, base_title=nights_title(baseline.runs), new_title=night_title(run))
        worse = regressions(comparison, (*baseline.runs, run), found, nights)
        evidence = Evidence(nights, comparison, worse, found)
        reported, not_stored = _reported(evidence, baseline.runs, options.compare, history)
        power = power_of(baseline.runs, run, comparison, options.compare, accepted)
        base_run_ids = [earlier.run_id for earlier in baseline.runs]
        standing = (*reported.called_again, *reported.persisting, *reported.accepted)
        page = report_page(nights, comparison, found, base_run_ids, worse, standing, power_line(power))
        report, not_written = write_page(page, options.report, log_folder)
        night = replace(
            night,
            comparison=comparison,
            reported=reported,
            power=power,
            repeated=measured.repeated,
            problems=[*problems, *filter(None, (not_stored, not_written))],
            report=report,
        )
    write_durably(log_folder / VERDICT_FILE, verdict_json(night))
    return night


def _reported(
    evidence: Evidence, base: Sequence[Run], options: CompareOptions, history: NightHistory
) -> tuple[OpenList, str | None]:
    """Returns the open list, which is stored, and the reason if it could not be."""
    found: list[OpenList] = []

    def update(stored: Sequence[ReportedRegression]) -> Sequence[ReportedRegression]:
        found.append(open_list(stored, base, evidence, options))
        return found[-1].reported

    problem = history.update_regressions(update)
    return found[-1], problem


def _print_verdict(night: Night, options: NightOptions, console: Console) -> None:
    if night.comparison and night.baseline and night.baseline.runs:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        console.print("\n" + formatted(night.comparison, "table", options.show_all, width))
    for problem in night.problems:
        console.error(problem)
    console.print("\n".join(verdict_lines(night)))
    if night.report:
        console.print(f"report: {night.report}")
    console.print(f"verdict as JSON: {night.log_folder / VERDICT_FILE}")
