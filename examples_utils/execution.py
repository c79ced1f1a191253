"""Executing one variant once: run, follow the output, parse it, and make the record."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmark_parsers.custom import CustomMetric, compute_custom_metric
from benchmark_parsers.derived import derive
from benchmark_parsers.reduction import Reduced
from benchmark_parsers.regex import RegexParser
from examples_utils.checkpoint import latest_checkpoint
from examples_utils.console import Console
from examples_utils.follower import Follower
from examples_utils.machine_state import OtherLoad, busy_warning, machine_state
from examples_utils.plan import PlannedVariant
from examples_utils.process import Outcome, run_process
from examples_utils.record import (
    FAILED,
    PASSED,
    SKIPPED,
    Results,
    VariantResult,
    duration_text,
    no_results,
)


@dataclass(frozen=True)
class Surroundings:
    """What all variants of a run share."""

    console: Console
    check_interruption: Callable[[], None]
    other_load: OtherLoad
    machine: Mapping[str, Any]
    software: Mapping[str, Any]
    custom_metrics: Mapping[str, CustomMetric]
    compile_only: bool = False
    trace_period_s: float | None = None


def execute(
    planned: PlannedVariant, repetition: int, folder: Path, git: Mapping[str, Any], around: Surroundings
) -> VariantResult:
    """Runs the variant's command and gives its record. Whatever the command does is in the record, never raised.

    Raises:
        Interrupted: the run was asked to stop; the command has been ended.
    """
    command = planned.command
    state = machine_state(around.other_load)
    warnings = [warning] if (warning := busy_warning(state)) else []
    if warning:
        around.console.warning(warning)
    metrics = () if around.compile_only else planned.benchmark.metrics
    follower = Follower(
        folder, RegexParser(metrics), around.console, around.check_interruption, around.trace_period_s
    )
    environment = {**os.environ, **dict(command.env)}
    outcome = run_process(command.argv, command.folder, environment, folder, command.timeout_s, follower.look)
    follower.finish()
    figures = follower.figures(command.mpi_instances)
    if not around.compile_only:
        _add_derived(planned, figures)
    results: Results = {name: {label: reduced.value} for name, (label, reduced) in figures.items()}
    results["total_compiling_time"] = {"mean": follower.compile_time_s() if outcome.exitcode == 0 else None}
    if outcome.exitcode:
        results = {name: dict.fromkeys(values) for name, values in results.items()}
    later_warnings = _add_custom_metrics(around.custom_metrics, folder, outcome.exitcode, results)
    if outcome.leftovers:
        later_warnings.append(f"{outcome.leftovers} processes outlived the command and were ended")
    for text in later_warnings:
        around.console.warning(text)
    reason = _failure_reason(outcome, command.timeout_s, figures)
    return VariantResult(
        **_described(planned, repetition, git, around),
        results=results,
        start_time=str(outcome.start),
        end_time=str(outcome.end),
        compilation_end_time=str(results["total_compiling_time"]["mean"]),
        test_duration=duration_text(outcome.duration_s),
        # A variant that ran but gave no figure has failed with 1, as its caller would expect of it.
        exitcode=outcome.exitcode or (1 if reason else 0),
        log_paths={"out": str(folder / "stdout"), "err": str(folder / "stderr")},
        latest_checkpoint_path=latest_checkpoint(command.argv, command.folder, outcome.start),
        status=FAILED if reason else PASSED,
        reason=reason,
        timed_out=outcome.timed_out,
        duration_s=round(outcome.duration_s, 6),
        matches={name: reduced.matches for name, (_, reduced) in figures.items()},
        warnings=warnings + later_warnings,
        machine_state=state,
    )


def not_executed(
    planned: PlannedVariant,
    repetition: int,
    git: Mapping[str, Any],
    around: Surroundings,
    status: str,
    reason: str,
) -> VariantResult:
    """The record of a variant that was skipped, or whose preparation failed."""
    now = str(datetime.now())
    return VariantResult(
        **_described(planned, repetition, git, around),
        start_time=now,
        end_time=now,
        results=no_results(),
        compilation_end_time=str(None),
        exitcode=None if status == SKIPPED else 1,
        status=status,
        reason=reason,
    )


def _described(
    planned: PlannedVariant, repetition: int, git: Mapping[str, Any], around: Surroundings
) -> dict[str, Any]:
    return {
        **planned.described(),
        "sdk_path": around.software["sdk_path"],
        "sdk_version": around.software["sdk_version"],
        "repetition": repetition,
        "machine": dict(around.machine),
        "software": dict(around.software),
        "git": dict(git),
    }


def _add_derived(planned: PlannedVariant, figures: dict[str, tuple[str, Reduced]]) -> None:
    for derived in planned.benchmark.derived:
        values = {name: reduced.value for name, (_, reduced) in figures.items()}
        figures[derived.name] = (derived.label, derive(derived, values, dict(planned.variant.params)))


def _add_custom_metrics(
    custom_metrics: Mapping[str, CustomMetric], folder: Path, exitcode: int, results: Results
) -> list[str]:
    """Adds their figures, and gives a warning for each that failed: it fails alone."""
    if not custom_metrics:
        return []
    stdout, stderr = ((folder / name).read_text("utf-8", "replace") for name in ("stdout", "stderr"))
    warnings = []
    for name, function in custom_metrics.items():
        values, problem = compute_custom_metric(function, stdout, stderr, exitcode)
        results[name] = values if values is not None else {"value": None}
        if problem:
            warnings.append(f"custom metric {name}: {problem}")
    return warnings


def _failure_reason(
    outcome: Outcome, timeout_s: float | None, figures: Mapping[str, tuple[str, Reduced]]
) -> str | None:
    if outcome.problem:
        return outcome.problem
    if outcome.timed_out:
        return f"took longer than its timeout of {timeout_s:g} s"
    if outcome.exitcode:
        return _exit_text(outcome.exitcode)
    missing = [f"{name}: {reduced.reason}" for name, (_, reduced) in figures.items() if reduced.reason]
    return "; ".join(missing) or None


def _exit_text(exitcode: int) -> str:
    if exitcode > 0:
        return f"exited with code {exitcode}"
    import signal

    try:
        return f"was ended by {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"was ended by signal {-exitcode}"
