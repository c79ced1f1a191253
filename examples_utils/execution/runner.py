"""Executes planned variants one after the other, with the state that the variants of a run share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import indent
from typing import Any

from examples_utils.console import Console
from examples_utils.control_characters import one_line
from examples_utils.execution.canary_process import CanaryProcess
from examples_utils.execution.preparation import Preparation
from examples_utils.execution.request import Request
from examples_utils.execution.variant_run import RunContext, not_executed, run_variant
from examples_utils.machine.cgroup import quota_warning
from examples_utils.machine.fingerprint import machine_fingerprint, software_fingerprint
from examples_utils.machine.git import git_state
from examples_utils.machine.load import OtherLoad
from examples_utils.planning.hosts import Hosts
from examples_utils.planning.interpreter import Interpreter
from examples_utils.planning.plan import PlannedVariant
from examples_utils.results.ledger import Ledger, as_failure
from examples_utils.results.log_folder import repetition_folder
from examples_utils.results.record import FAILED, PASSED, SKIPPED, VariantResult
from examples_utils.results.summary import metrics_line

Turn = tuple[PlannedVariant, int]


@dataclass(frozen=True)
class Runner:
    """Runs variants, and stores each result before the next variant starts."""

    request: Request
    log_folder: Path
    context: RunContext
    preparation: Preparation
    canary: CanaryProcess | None
    ledger: Ledger
    _git: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def run(self, turns: Sequence[Turn], repeat: int) -> None:
        """Executes each variant as the given repetition; `repeat` is the highest of their numbers.

        Raises:
            Interrupted: The run was asked to stop; finished results are stored.
        """
        console, options = self.context.console, self.request.options
        for number, (planned, repetition) in enumerate(turns, 1):
            self.context.check_interruption()
            console.print(f"[{number}/{len(turns)}] {title(planned, repetition, repeat)}")
            result = self.run_turn((planned, repetition), repeat)
            if result.status == FAILED and options.stop_on_error:
                console.print("stopping at the first failure (--stop-on-error)")
                return

    def run_turn(self, turn: Turn, repeat: int) -> VariantResult:
        """Executes one variant and stores its result. Raises Interrupted if the run was asked to stop meanwhile."""
        planned, repetition = turn
        folder = repetition_folder(self.log_folder, planned.folder, repetition, repeat)
        result = self._kept(self._attempted(planned, repetition, folder), folder)
        self.context.console.print(_outcome_line(result))
        return result

    def _attempted(self, planned: PlannedVariant, repetition: int, folder: Path) -> VariantResult:
        """Returns the result, also of a variant whose files or values the system refuses: the others run."""
        try:
            return self._run_one(planned, repetition, folder)
        except (OSError, ValueError) as error:
            git = self._git.get(planned.benchmark.spec_folder, {})
            reason = f"the runner could not execute it, or not read its output: {error}"
            return not_executed(planned, repetition, git, self.context, FAILED, reason)

    def _kept(self, result: VariantResult, folder: Path) -> VariantResult:
        try:
            return self.ledger.store(result, folder)
        except OSError as error:
            return as_failure(result, f"its record cannot be written: {error}")

    def _run_one(self, planned: PlannedVariant, repetition: int, folder: Path) -> VariantResult:
        git, context = self._git_state(planned), self.context
        folder.mkdir(parents=True, exist_ok=True)
        if planned.skip_reason:
            return not_executed(planned, repetition, git, context, SKIPPED, planned.skip_reason)
        if problem := planned.failure_reason or self.preparation.prepare(planned):
            return not_executed(planned, repetition, git, context, FAILED, problem)
        if self.request.options.command.prepare:  # it may have installed other engines
            context = replace(context, software=_software(self.request.plan.interpreter))
        if self.request.options.command.profile:
            planned = planned.profiled(folder)
        seconds = self.canary.measure() if self.canary else {}
        context.console.info(indent(planned.command.text, "    "))
        return replace(run_variant(planned, repetition, folder, git, context), canary=seconds)

    def _git_state(self, planned: PlannedVariant) -> Mapping[str, Any]:
        """Returns the state of the spec's checkout, queried once per run."""
        folder = planned.benchmark.spec_folder
        if folder not in self._git:
            self._git[folder], warning = git_state(folder)
            if warning:
                self.context.console.warning(warning)
        return self._git[folder]


@contextlib.contextmanager
def open_runner(
    request: Request,
    log_folder: Path,
    other_load: OtherLoad,
    console: Console,
    check_interruption: Callable[[], None],
) -> Iterator[Runner]:
    """Yields a runner for one run. At the end, removes what was copied to other hosts, if requested."""
    options, interpreter = request.options, request.plan.interpreter
    machine = machine_fingerprint()
    if warning := quota_warning(machine["allowed_cores"], machine["cpu_quota"]):
        console.warning(warning)
    context = RunContext(
        console=console,
        check_interruption=check_interruption,
        other_load=other_load,
        machine=machine,
        software=_software(interpreter),
        python=interpreter.described(),
        custom_metrics=request.custom_metrics,
        redactor=request.redactor,
        compile_only=options.command.compile_only,
        trace_period_s=options.progress_trace_period_s,
    )
    hosts = Hosts(interpreter.prefix) if request.copies_to_hosts else None
    preparation = Preparation(
        log_folder, console, check_interruption, options.command, interpreter, hosts, request.redactor
    )
    canary = CanaryProcess(log_folder, console, check_interruption) if options.canary else None
    ledger = Ledger(log_folder)
    try:
        yield Runner(request, log_folder, context, preparation, canary, ledger)
    finally:
        _report_unreadable(ledger, console)
        if hosts and options.remove_dirs_after:
            for complaint in hosts.remove():
                console.warning(complaint)


def _report_unreadable(ledger: Ledger, console: Console) -> None:
    try:
        for name in ledger.replace_unreadable():
            console.warning(f"{name}: its record became unreadable during the run, so it counts as failed")
    except OSError as error:
        console.error(f"the records of this run cannot be completed: {error}")


def _software(interpreter: Interpreter) -> dict[str, Any]:
    return software_fingerprint(".".join(map(str, interpreter.version)), interpreter.import_path)


def title(planned: PlannedVariant, repetition: int, repeat: int) -> str:
    """Returns the title of one execution."""
    return f"{planned.key.title} (repetition {repetition} of {repeat})" if repeat > 1 else planned.key.title


def _outcome_line(result: VariantResult) -> str:
    time_text = f" in {result.duration_s:.1f} s" if result.duration_s is not None else ""
    detail = metrics_line(result) if result.status == PASSED else result.reason
    return f"    {result.status.upper()}{time_text}{': ' + one_line(detail) if detail else ''}"
