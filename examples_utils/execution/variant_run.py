"""Executes one variant once: run, follow the output, parse it, and create the record."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmark_parsers.custom import CustomMetric
from benchmark_parsers.regex import MetricSpec
from examples_utils.console import Console
from examples_utils.execution.checkpoint import latest_checkpoint
from examples_utils.execution.follower import Follower
from examples_utils.execution.forks.custom_metrics import computed_apart
from examples_utils.execution.output_reader import (
    COMPILE_TIME,
    MetricReading,
    OutputReader,
    compile_time_reading,
    derived_reading,
    metrics_json,
)
from examples_utils.execution.output_worker import OutputWorker
from examples_utils.execution.process import STDERR, STDOUT, Outcome, run_process
from examples_utils.machine.cgroup import quota_warning
from examples_utils.machine.disturbance import disturbance_warnings, read_counters, taken_between
from examples_utils.machine.fingerprint import allowed_cpus
from examples_utils.machine.load import OtherLoad, busy_warning, machine_state
from examples_utils.planning.plan import PlannedVariant
from examples_utils.redaction.redactor import Redactor
from examples_utils.results.exit_status import exit_text
from examples_utils.results.file_tail import last_error
from examples_utils.results.record import (
    FAILED,
    PASSED,
    SKIPPED,
    Results,
    VariantResult,
    duration_text,
    no_results,
    utc_text,
)


@dataclass(frozen=True)
class RunContext:
    """The state that all variants of a run share."""

    console: Console
    check_interruption: Callable[[], None]
    other_load: OtherLoad
    machine: Mapping[str, Any]
    software: Mapping[str, Any]
    python: Mapping[str, str]
    custom_metrics: Mapping[str, CustomMetric]
    redactor: Redactor | None = None
    compile_only: bool = False
    trace_period_s: float | None = None


def run_variant(
    planned: PlannedVariant, repetition: int, folder: Path, git: Mapping[str, Any], context: RunContext
) -> VariantResult:
    """Runs the variant's command and returns its record. A failure of the command is in the record, never raised.

    Raises:
        Interrupted: The run was asked to stop; the command has been terminated.
    """
    command = planned.command
    state, cpus = machine_state(context.other_load), allowed_cpus()
    quota = quota_warning(
        context.machine["allowed_cores"], context.machine["cpu_quota"]
    )  # printed once per run
    busy = busy_warning(state)
    if busy:
        context.console.warning(busy)
    reader = OutputReader(*_what_to_read(planned, context.compile_only))
    worker = OutputWorker(reader, folder / STDOUT, folder / STDERR, command.mpi_instances)
    with contextlib.closing(worker):
        follower = Follower(
            folder, worker, context.console, context.check_interruption, context.trace_period_s
        )
        environment = command.environment(os.environ)
        before = read_counters(cpus)
        outcome = run_process(
            command.argv,
            command.folder,
            environment,
            folder,
            command.timeout_s,
            follower.look,
            context.redactor,
        )
        taken = taken_between(before, read_counters(cpus), len(cpus))
        follower.finish()
        reading = worker.finish(context.check_interruption)
    readings, parsed, compile_time_s = dict(reading.metrics), reading.parsed, reading.compile_time_s
    if not context.compile_only:
        _add_derived(planned, readings)
    failure = _command_failure(outcome, command.timeout_s, folder)
    reason = failure or _missing_metrics(readings, parsed.problems)
    if compile_time_s is not None:
        readings.setdefault(COMPILE_TIME, compile_time_reading(compile_time_s))
    metrics = metrics_json(readings, failure)
    results: Results = {name: {metric["reduction"]: metric["value"]} for name, metric in metrics.items()}
    results.setdefault(COMPILE_TIME, {"mean": None})
    later_warnings = [*parsed.warnings, *disturbance_warnings(taken)]
    later_warnings += _add_custom_metrics(context, folder, outcome.exitcode, results)
    if outcome.leftovers:
        later_warnings.append(f"{outcome.leftovers} processes outlived the command and were terminated")
    for text in later_warnings:
        context.console.warning(text)
    described = _described(planned, repetition, git, context)
    described["software"] |= {"reported": dict(parsed.versions)} if parsed.versions else {}
    result = VariantResult(
        **described,
        results=results,
        start_time=str(outcome.start),
        start_time_utc=utc_text(outcome.start),
        end_time=str(outcome.end),
        compilation_end_time=str(None if failure else compile_time_s),
        test_duration=duration_text(outcome.duration_s),
        # A variant without the requested metrics has failed with exit code 1, as its caller would expect.
        exitcode=outcome.exitcode or (1 if reason else 0),
        log_paths={"out": str(folder / STDOUT), "err": str(folder / STDERR)},
        latest_checkpoint_path=str(latest_checkpoint(command.argv, command.folder, outcome.start)),
        status=FAILED if reason else PASSED,
        reason=reason,
        timed_out=outcome.timed_out,
        duration_s=round(outcome.duration_s, 6),
        matches={name: reading.reduced.matches for name, reading in readings.items() if name != COMPILE_TIME},
        metrics=metrics,
        settings=dict(parsed.settings),
        warnings=[text for text in (quota, busy, *later_warnings) if text],
        machine_state=state,
        disturbance=taken,
    )
    return _redacted(result, context.redactor)


def not_executed(
    planned: PlannedVariant,
    repetition: int,
    git: Mapping[str, Any],
    context: RunContext,
    status: str,
    reason: str,
) -> VariantResult:
    """Returns the record of a variant that was skipped, or whose preparation failed."""
    now = datetime.now()
    result = VariantResult(
        **_described(planned, repetition, git, context),
        start_time=str(now),
        start_time_utc=utc_text(now),
        end_time=str(now),
        test_duration=duration_text(0.0),
        results=no_results(),
        compilation_end_time=str(None),
        exitcode=None if status == SKIPPED else 1,
        status=status,
        reason=reason,
    )
    return _redacted(result, context.redactor)


def _redacted(result: VariantResult, redactor: Redactor | None) -> VariantResult:
    return replace(result, **redactor.record(vars(result))) if redactor else result


def _described(
    planned: PlannedVariant, repetition: int, git: Mapping[str, Any], context: RunContext
) -> dict[str, Any]:
    return {
        **planned.described(),
        "sdk_path": context.software["sdk_path"],
        "sdk_version": context.software["sdk_version"],
        "repetition": repetition,
        "machine": dict(context.machine),
        "software": dict(context.software),
        "python": dict(context.python),
        "git": dict(git),
    }


def _what_to_read(planned: PlannedVariant, compile_only: bool) -> tuple[tuple[MetricSpec, ...], str | None]:
    if compile_only:
        return (), None
    return planned.benchmark.metrics, planned.benchmark.parser


def _add_derived(planned: PlannedVariant, readings: dict[str, MetricReading]) -> None:
    for spec in planned.benchmark.derived:
        readings[spec.name] = derived_reading(spec, readings, dict(planned.variant.params))


def _add_custom_metrics(context: RunContext, folder: Path, exitcode: int, results: Results) -> list[str]:
    """Adds their metrics, and returns a warning for each that failed: one failure does not affect the others."""
    warnings = []
    for name, function in context.custom_metrics.items():
        if name in results:
            warnings.append(
                f"custom metric {name}: the variant has a metric of this name, which takes precedence; rename yours"
            )
            continue
        values, problem = computed_apart(
            function, folder / STDOUT, folder / STDERR, exitcode, context.check_interruption
        )
        results[name] = values if values is not None else {"value": None}
        if problem:
            warnings.append(f"custom metric {name}: {problem}")
    return warnings


def _command_failure(outcome: Outcome, timeout_s: float | None, folder: Path) -> str | None:
    """Returns why the command itself failed, which invalidates all of its metrics."""
    if outcome.problem:
        return outcome.problem
    if outcome.timed_out:
        return f"took longer than its timeout of {timeout_s:g} s"
    if not outcome.exitcode:
        return None
    own_words = last_error(folder / STDERR)
    return f"{exit_text(outcome.exitcode)}: {own_words}" if own_words else exit_text(outcome.exitcode)


def _missing_metrics(readings: Mapping[str, MetricReading], problems: Sequence[str]) -> str | None:
    missing = [
        f"{name}: {reading.reduced.reason}" for name, reading in readings.items() if reading.reduced.reason
    ]
    return "; ".join([*problems, *missing]) or None
