"""Checks that refuse a request before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from benchmark_parsers.custom import CustomMetric
from benchmark_parsers.registry import REGEX
from examples_utils.console import Console
from examples_utils.execution.canary_process import refuse_without_numpy
from examples_utils.machine.monitor import missing_plot
from examples_utils.machine.vipu import vipu_server_host
from examples_utils.planning.custom_metrics import load_custom_metrics
from examples_utils.planning.hosts import must_copy
from examples_utils.planning.options import CommandOptions, RunOptions
from examples_utils.planning.plan import Plan, make_plan, refuse_too_many_executions
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.redaction.command_secrets import given_values, without_given_values
from examples_utils.redaction.redactor import Redactor
from examples_utils.redaction.secret_values import secret_values
from examples_utils.results.record import identity_of
from examples_utils.spec.loader import Benchmark


class Archive(Protocol):
    """Destination of the results of a finished run, in addition to its log folder."""

    def refuse_unusable(self) -> str | None:
        """Checks it before anything runs; returns a warning for a temporary problem. Raises RequestError."""

    def add_run(self, log_folder: Path, console: Console) -> None:
        """Adds the run in this log folder; reports errors on the console, never raises."""


@dataclass(frozen=True)
class Request:
    """A request that can be carried out."""

    options: RunOptions
    plan: Plan
    custom_metrics: Mapping[str, CustomMetric]
    copies_to_hosts: bool
    warnings: tuple[str, ...]
    redactor: Redactor | None = None

    def described(self) -> dict[str, dict[str, Any]]:
        """Returns the variants as keys of their records, by their folder in the log folder."""
        redact = self.redactor.record if self.redactor else dict
        return {planned.folder: redact(planned.described()) for planned in self.plan.variants}

    def in_folders(self, noted: Mapping[tuple[str, str, str], str]) -> Request:
        """Returns it with the folders that a stopped run has noted, which may have another layout."""
        described = self.described()
        variants = [
            replace(planned, folder=noted.get(identity_of(described[planned.folder]), planned.folder))
            for planned in self.plan.variants
        ]
        return replace(self, plan=replace(self.plan, variants=tuple(variants)))


def checked_request(
    options: RunOptions, environment: Mapping[str, str], archive: Archive | None = None
) -> Request:
    """Plans the run and checks its requirements. Raises RequestError, with the remedy."""
    server_host = partial(vipu_server_host, environment.get("PATH"))
    plan = make_plan(options.selection, options.command, environment, server_host)
    refuse_too_many_executions(plan, options.repeat)
    _refuse_unusable_preparation(options.command)
    if options.canary:
        refuse_without_numpy()
    copies = must_copy(plan, options.remove_dirs_after, options.no_code_sync)
    custom_metrics = load_custom_metrics(options.custom_metrics_files)
    warnings = [f"{warning.place}: {warning.key}: {warning.message}" for warning in plan.warnings]
    warnings += [
        remark for remark in (plan.interpreter.remark, not_prepared(options.command, plan)) if remark
    ]
    warnings += _unknown_csv_metrics(options, plan, custom_metrics)
    if options.gc_monitor and (warning := missing_plot()):
        warnings.append(warning)
    if archive and (warning := archive.refuse_unusable()):
        warnings.append(warning)
    redactor = None if options.keep_secrets else _redactor(plan, environment)
    return Request(options, plan, custom_metrics, copies, tuple(warnings), redactor)


def _redactor(plan: Plan, environment: Mapping[str, str]) -> Redactor:
    """Returns the redactor of all secrets that a command of the plan can see."""
    benchmarks = {id(planned.benchmark): planned.benchmark for planned in plan.variants}.values()
    words = frozenset(word for benchmark in benchmarks for word in _words_of(benchmark))
    of_commands = dict.fromkeys(variable for planned in plan.variants for variable in planned.command.env)
    given = [
        pair
        for benchmark in benchmarks
        for text in (benchmark.cmd or "", *benchmark.pre_run_commands)
        for pair in given_values(text)
    ]
    return Redactor(secret_values([*environment.items(), *of_commands, *given], words), words)


def _words_of(benchmark: Benchmark) -> Iterator[str]:
    """Yields the words of letters that the entry uses for anything but the values of its `env`."""
    names = [benchmark.name, *benchmark.tags, *(word for column in benchmark.output for word in column)]
    regexps = [text for metric in benchmark.metrics for text in (metric.name, metric.regexp)]
    for text in (*names, *regexps, without_given_values(benchmark.cmd or ""), str(benchmark.parameters)):
        yield from re.findall("[A-Za-z]+", text)


def not_prepared(options: CommandOptions, plan: Plan) -> str | None:
    """Returns a remark that names everything that a run without `--prepare` leaves alone, or None."""
    if options.prepare:
        return None
    entries: dict[str, dict[str, None]] = {"--requirements-file": {}} if options.requirements_file else {}
    for planned in plan.variants:
        for key in planned.benchmark.preparation_keys:
            entries.setdefault(key, {})[planned.benchmark.name] = None
    if not entries:
        return None
    keys = [f"{key} of {', '.join(names)}" if names else key for key, names in entries.items()]
    return f"nothing is prepared without --prepare; left alone: {'; '.join(keys)}"


def _refuse_unusable_preparation(options: CommandOptions) -> None:
    if options.prepare_venv and not options.prepare:
        raise RequestError(f"--prepare-venv {options.prepare_venv}: is made by --prepare; give that, too")
    if options.requirements_file and not Path(options.requirements_file).is_file():
        raise RequestError(f"--requirements-file {options.requirements_file}: no such file")


def _unknown_csv_metrics(
    options: RunOptions, plan: Plan, custom_metrics: Mapping[str, CustomMetric]
) -> list[str]:
    """One list of columns may serve several specs, so a metric that this one lacks is no error."""
    if any((planned.benchmark.parser or REGEX) != REGEX for planned in plan.variants):
        return []  # such parsers provide metrics that are unknown beforehand
    known = {*custom_metrics, "total_compiling_time"}
    for planned in plan.variants:
        known.update(metric.name for metric in planned.benchmark.metrics)
        known.update(metric.name for metric in planned.benchmark.derived)
    return [
        f"--csv-metrics {name}: no chosen benchmark has this metric, so its column stays empty; "
        + did_you_mean(name, sorted(known))
        for name in options.csv_metrics
        if name not in known
    ]
