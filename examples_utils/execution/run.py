"""A run: plan, execute every variant, keep every result, and summarise."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from examples_utils.console import Console
from examples_utils.execution.interruption import Interrupted, Interruption
from examples_utils.execution.process_tree import end_leftovers
from examples_utils.execution.request import Archive, Request, checked_request
from examples_utils.execution.runner import open_runner
from examples_utils.machine.load import OtherLoad
from examples_utils.planning.options import RunOptions
from examples_utils.planning.plan import schedule
from examples_utils.problems import RequestError
from examples_utils.results.exports import collect
from examples_utils.results.log_folder import new_log_folder, note_run, noted_folders, resumed_log_folder
from examples_utils.results.record import FAILED, NOT_RUN, Execution, identity_of
from examples_utils.results.stored_records import stored_results
from examples_utils.results.summary import results_table, summary_lines


def run_benchmarks(options: RunOptions, log_dir: str | None, archive: Archive | None = None) -> int:
    """Runs the requested benchmarks in a fresh log folder. Returns the exit code: 0, 1, or 128 + signal.

    At the end, adds the results to the `archive` as well, if there is one.

    Raises:
        RequestError: The request is wrong; nothing has run.
    """
    other_load = OtherLoad()
    request = checked_request(options, dict(os.environ), archive)
    with new_log_folder(log_dir, options, request.described()) as log_folder:
        return _run(request, log_folder, other_load, frozenset(), archive)


def resume_benchmarks(stopped_run: Path, archive: Archive | None = None) -> int:
    """Continues the run in this log folder; finished variants are not run again.

    Raises:
        RequestError: The folder contains no run, or its request can no longer be run.
    """
    other_load = OtherLoad()
    with resumed_log_folder(stopped_run) as (log_folder, options):
        request = checked_request(options, dict(os.environ), archive).in_folders(noted_folders(log_folder))
        note_run(log_folder, options, request.described())
        end_leftovers(log_folder)
        finished = frozenset(result.execution for result in stored_results(log_folder)[0])
        return _run(request, log_folder, other_load, finished, archive)


def _run(
    request: Request,
    log_folder: Path,
    other_load: OtherLoad,
    finished: frozenset[Execution],
    archive: Archive | None,
) -> int:
    begun_s = time.monotonic()
    options = request.options
    order = [
        (planned, repetition)
        for planned, repetition in schedule(request.plan, options.repeat, options.shuffle)
        if (*identity_of(planned.described()), repetition) not in finished
    ]
    stopped: Interrupted | None = None
    with run_console(request, log_folder) as console:
        if finished:
            console.print(f"{len(finished)} results are already finished and are not run again")
        interruption = Interruption()
        with interruption.catching(), _monitored(options, log_folder):
            try:
                with open_runner(request, log_folder, other_load, console, interruption.check) as runner:
                    runner.run(order, options.repeat)
            except Interrupted as error:
                stopped = error
        failed = sum_up(log_folder, console, time.monotonic() - begun_s, stopped)
        if archive and not stopped:
            archive.add_run(log_folder, console)
    return stopped.exitcode if stopped else int(failed)


@contextlib.contextmanager
def run_console(request: Request, log_folder: Path) -> Iterator[Console]:
    """Yields the console of a run, with its logs; first prints the warnings of the request."""
    redact = request.redactor.text if request.redactor else str
    console = Console(request.options.command.logging or "INFO", not request.options.quiet, redact)
    try:
        console.open_logs(log_folder)
    except OSError as error:
        raise RequestError(f"--log-dir {log_folder}: cannot be used: {error}; name another folder") from None
    try:
        console.info(f"results go to {log_folder}")
        for warning in request.warnings:
            console.warning(warning)
        yield console
    finally:
        console.close()


def _monitored(options: RunOptions, log_folder: Path) -> contextlib.AbstractContextManager[None]:
    if not options.gc_monitor:
        return contextlib.nullcontext()
    from examples_utils.machine.monitor import monitoring

    return monitoring(log_folder)


def sum_up(log_folder: Path, console: Console, duration_s: float, stopped: Interrupted | None) -> bool:
    """Writes the result files and prints the table; returns whether any variant failed or has no result."""
    collected = collect(log_folder)
    results = collected.results
    for complaint in collected.unreadable:
        console.warning(complaint)
    for complaint in collected.unwritten:
        console.error(complaint)
    if stopped:
        console.error(
            f"{stopped}; continue with: python3 -m examples_utils benchmark --resume {shlex.quote(str(log_folder))}"
        )
    if results:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        console.print("\n" + results_table(results, width))
    console.print("\n" + "\n".join(summary_lines(results, duration_s)))
    console.print(f"results: {log_folder / 'benchmark_results.json'}")
    incomplete = not results or bool(collected.unwritten)
    return incomplete or any(result.status in (FAILED, NOT_RUN) for result in results)
