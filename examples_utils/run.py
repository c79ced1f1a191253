"""A run: plan, execute every variant, keep every result, and sum up."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from examples_utils.canary_process import CanaryProcess
from examples_utils.console import Console
from examples_utils.execution import Surroundings, execute, not_executed
from examples_utils.exports import collect
from examples_utils.history.after_run import add_run
from examples_utils.hosts import Hosts
from examples_utils.interruption import Interrupted, Interruption
from examples_utils.log_folder import (
    new_log_folder,
    repetition_folder,
    resumed_log_folder,
    store,
    stored_results,
)
from examples_utils.machine import git_state, machine_fingerprint, software_fingerprint
from examples_utils.machine_state import OtherLoad
from examples_utils.options import RunOptions
from examples_utils.plan import PlannedVariant, schedule
from examples_utils.preparation import Preparation
from examples_utils.process_group import end_leftovers
from examples_utils.record import FAILED, PASSED, SKIPPED, VariantResult
from examples_utils.request import Request, checked_request
from examples_utils.summary import figures_line, results_table, summary_lines


def run_benchmarks(options: RunOptions, log_dir: str | None, history: str | None = None) -> int:
    """Runs what was asked for in a fresh log folder. Gives the exit code: 0, 1, or 128 + signal.

    In the end the results go into the ``history``, if one is given; "" is the default one.

    Raises:
        RequestError: the request is wrong; nothing has been run.
    """
    other_load = OtherLoad()
    request = checked_request(options, dict(os.environ), history)
    variants = {planned.folder: planned.described() for planned in request.plan.variants}
    with new_log_folder(log_dir, options, variants) as log_folder:
        return _run(request, log_folder, other_load, frozenset(), history)


def resume_benchmarks(stopped_run: Path, history: str | None = None) -> int:
    """Continues the run in this log folder; variants that it has finished are not run again.

    Raises:
        RequestError: the folder holds no run, or what it was asked for cannot be run any more.
    """
    other_load = OtherLoad()
    with resumed_log_folder(stopped_run) as (log_folder, options):
        request = checked_request(options, dict(os.environ), history)
        end_leftovers(log_folder)
        finished = frozenset((*r.identity, r.repetition) for r in stored_results(log_folder)[0])
        return _run(request, log_folder, other_load, finished, history)


def _run(
    request: Request,
    log_folder: Path,
    other_load: OtherLoad,
    finished: frozenset[tuple[str, str, str, int]],
    history: str | None,
) -> int:
    begun_s = time.monotonic()
    options = request.options
    order = [
        (planned, repetition)
        for planned, repetition in schedule(request.plan, options.repeat, options.shuffle)
        if (*planned.identity, repetition) not in finished
    ]
    console = Console(options.command.logging or "INFO", not options.quiet)
    console.open_logs(log_folder)
    stopped: Interrupted | None = None
    try:
        console.info(f"results go to {log_folder}")
        if finished:
            console.say(f"{len(finished)} finished results are there already and are not run again")
        for warning in request.warnings:
            console.warning(warning)
        interruption = Interruption()
        queue = _Queue(order)
        with interruption.catching(), _monitored(options, log_folder):
            try:
                _execute_all(queue, request, log_folder, other_load, console, interruption.check)
            except Interrupted as error:
                stopped = error
        failed = _sum_up(log_folder, console, time.monotonic() - begun_s, stopped)
        if history is not None and not stopped:
            add_run(log_folder, history, console)
    finally:
        console.close()
    return stopped.exitcode if stopped else int(failed)


@dataclass
class _Queue:
    """What is to be run, and how much of it has been."""

    order: list[tuple[PlannedVariant, int]]
    finished: int = 0


def _execute_all(
    queue: _Queue,
    request: Request,
    log_folder: Path,
    other_load: OtherLoad,
    console: Console,
    check_interruption: Callable[[], None],
) -> None:
    options = request.options
    around = Surroundings(
        console=console,
        check_interruption=check_interruption,
        other_load=other_load,
        machine=machine_fingerprint(),
        software=software_fingerprint(),
        custom_metrics=request.custom_metrics,
        compile_only=options.command.compile_only,
        trace_period_s=options.progress_trace_period_s,
    )
    hosts = Hosts() if request.copies_to_hosts else None
    requirements = Path(options.requirements_file).absolute() if options.requirements_file else None
    preparation = Preparation(log_folder, console, check_interruption, requirements, hosts)
    canary = CanaryProcess(log_folder, console, check_interruption) if options.canary else None
    git = _GitStates()
    try:
        for planned, repetition in queue.order:
            check_interruption()
            console.say(
                f"[{queue.finished + 1}/{len(queue.order)}] {_title(planned, repetition, options.repeat)}"
            )
            folder = repetition_folder(log_folder, planned.folder, repetition, options.repeat)
            result = _run_one(planned, repetition, folder, git.of(planned), around, preparation, canary)
            store(result, folder)
            queue.finished += 1
            console.say(_outcome_line(result))
            if result.status == FAILED and options.stop_on_error:
                console.say("stopping at the first failure (--stop-on-error)")
                return
    finally:
        if hosts and options.remove_dirs_after:
            for complaint in hosts.remove():
                console.warning(complaint)


def _run_one(
    planned: PlannedVariant,
    repetition: int,
    folder: Path,
    git: Mapping[str, Any],
    around: Surroundings,
    preparation: Preparation,
    canary: CanaryProcess | None,
) -> VariantResult:
    folder.mkdir(parents=True, exist_ok=True)
    if planned.skip_reason:
        return not_executed(planned, repetition, git, around, SKIPPED, planned.skip_reason)
    if problem := preparation.prepare(planned):
        return not_executed(planned, repetition, git, around, FAILED, problem)
    seconds = canary.measure() if canary else {}
    around.console.info(f"    {planned.command.text}")
    return replace(execute(planned, repetition, folder, git, around), canary=seconds)


@dataclass
class _GitStates:
    """The state of each spec's checkout, asked for once in a run."""

    known: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def of(self, planned: PlannedVariant) -> dict[str, Any]:
        folder = planned.benchmark.spec_folder
        if folder not in self.known:
            self.known[folder] = git_state(folder)
        return self.known[folder]


def _monitored(options: RunOptions, log_folder: Path) -> contextlib.AbstractContextManager[None]:
    if not options.gc_monitor:
        return contextlib.nullcontext()
    from examples_utils.monitor import monitoring

    return monitoring(log_folder)


def _sum_up(log_folder: Path, console: Console, duration_s: float, stopped: Interrupted | None) -> bool:
    """Writes the result files and shows the table; whether any variant failed."""
    results, unreadable = collect(log_folder)
    for complaint in unreadable:
        console.warning(complaint)
    if stopped:
        console.error(f"{stopped}; go on with: benchmark --resume {log_folder}")
    if results:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        console.say("\n" + results_table(results, width))
    console.say("\n" + "\n".join(summary_lines(results, duration_s)))
    console.say(f"results: {log_folder / 'benchmark_results.json'}")
    return any(result.status == FAILED for result in results)


def _title(planned: PlannedVariant, repetition: int, repeat: int) -> str:
    title = f"{planned.benchmark.name}::{planned.variant.name}"
    return f"{title} (repetition {repetition} of {repeat})" if repeat > 1 else title


def _outcome_line(result: VariantResult) -> str:
    time_text = f" in {result.duration_s:.1f} s" if result.duration_s is not None else ""
    said = figures_line(result) if result.status == PASSED else result.reason
    return f"    {result.status.upper()}{time_text}{': ' + said if said else ''}"
