"""The command line of the runner. Each command imports what it needs when it is used: --help is quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.arguments.selection import selection_of
from examples_utils.cli.arguments.parser import make_parser

if TYPE_CHECKING:
    from examples_utils.planning.options import RunOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command. 0: all passed, 1: a benchmark failed or regressed, 2: the request is wrong, 130: Ctrl-C."""
    commands: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "benchmark": _benchmark,
        "list": _list,
        "validate": _validate,
        "collect": _collect,
        "parse": _parse,
        "validate-results": _validate_results,
        "compare": _compare,
        "nightly": _nightly,
        "history": _history,
        "import": _import,
        "ab": _ab,
        "report": _report,
    }
    parsed = make_parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    from examples_utils.problems import RequestError

    try:
        return commands[parsed.command](parsed)
    except RequestError as error:
        print(_with_prefix(str(error)), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        print(
            f"error: {parsed.command} needs {error.name}, which is not installed: "
            "activate the environment (. .venv/bin/activate), or pip install -e '.[history]'",
            file=sys.stderr,
        )
        return 2
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            return _reader_went_away()
        print(f"error: {error}; finished results are in the log folder: go on with --resume", file=sys.stderr)
        return 1


def _reader_went_away() -> int:
    """As `list | head` does. Python would complain once more when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _with_prefix(message: str) -> str:
    return message if ": error: " in message else f"error: {message}"


def _benchmark(parsed: argparse.Namespace) -> int:
    if parsed.upload_checkpoints:
        return _refuse(
            "--upload-checkpoints: there is no store for checkpoints to upload to; leave the option out, and "
            "copy what latest_checkpoint_path names in benchmark_results.json"
        )
    if parsed.resume:
        return _resume(parsed)
    options = _run_options(parsed)
    if parsed.dry_run:
        return _dry_run(options)
    from examples_utils.execution.run import run_benchmarks

    return run_benchmarks(options, parsed.log_dir, parsed.history)


def _resume(parsed: argparse.Namespace) -> int:
    defaults = make_parser().parse_args(["benchmark"])
    given = [
        name
        for name, value in vars(parsed).items()
        if name not in ("resume", "command", "history") and value != getattr(defaults, name)
    ]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        return _refuse(f"--resume takes all options from the stopped run; leave out {flags}")
    from examples_utils.execution.run import resume_benchmarks

    return resume_benchmarks(Path(parsed.resume), parsed.history)


def _dry_run(options: RunOptions) -> int:
    from examples_utils.cli.list import dry_run
    from examples_utils.execution.request import checked_request
    from examples_utils.planning.plan import schedule

    plan = checked_request(options, dict(os.environ)).plan
    print(dry_run(schedule(plan, options.repeat, options.shuffle), options.repeat))
    return 0


def _list(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.list import listing
    from examples_utils.planning.options import CommandOptions
    from examples_utils.planning.plan import make_plan

    print(listing(make_plan(selection_of(parsed), CommandOptions(), dict(os.environ)), parsed.format))
    return 0


def _validate(parsed: argparse.Namespace) -> int:
    from examples_utils.problems import SpecError
    from examples_utils.spec.files import find_specs
    from examples_utils.spec.loader import load_spec

    problems, entries = [], 0
    files = find_specs(parsed.spec)
    for file in files:
        try:
            spec = load_spec(file)
        except SpecError as error:
            problems += error.problems
        else:
            problems += [problem for _, problem in spec.problems]
            entries += len(spec.names)
    for problem in sorted(set(problems)):
        print(problem)
    errors = sum(not problem.is_warning for problem in set(problems))
    print(
        f"{len(files)} specs, {entries} benchmarks, {errors} errors, {len(set(problems)) - errors} warnings"
    )
    return 2 if errors else 0


def _collect(parsed: argparse.Namespace) -> int:
    from examples_utils.results.exports import collect
    from examples_utils.results.record import FAILED, NOT_RUN
    from examples_utils.results.summary import results_table, summary_lines

    folder = Path(parsed.log_dir)
    if not folder.is_dir():
        return _refuse(f"collect {folder}: no such folder; name a run's --log-dir")
    results, unreadable = collect(folder.absolute())
    for complaint in unreadable:
        print(f"warning: {complaint}", file=sys.stderr)
    if not results:
        return _refuse(f"collect {folder}: holds no result of a variant; name a run's --log-dir")
    print(results_table(results, None))
    print("\n".join(summary_lines(results, sum(result.duration_s or 0 for result in results))))
    return int(any(result.status in (FAILED, NOT_RUN) for result in results))


def _parse(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.parse import Output, parse_output

    output = Output(Path(parsed.stdout), Path(parsed.stderr) if parsed.stderr else None, parsed.exitcode)
    text, passed = parse_output(output, parsed.parser, tuple(parsed.spec), parsed.benchmark)
    print(text)
    return int(not passed)


def _validate_results(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.validate_results import validate_results

    report, valid = validate_results([Path(name) for name in parsed.files])
    print(report)
    return 0 if valid else 2


def _compare(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.compare import compare

    return compare(parsed)


def _nightly(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.nightly import nightly

    return nightly(parsed)


def _history(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.commands import run_history

    return run_history(parsed)


def _import(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.commands import run_import

    return run_import(parsed)


def _ab(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.ab import ab

    return ab(parsed)


def _report(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.report import report

    return report(parsed)


def _refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _run_options(parsed: argparse.Namespace) -> RunOptions:
    from examples_utils.planning.options import CommandOptions, RunOptions

    return RunOptions(
        selection=selection_of(parsed),
        command=CommandOptions(
            allow_wandb=parsed.allow_wandb,
            compile_only=parsed.compile_only,
            profile=parsed.profile,
            logging=parsed.logging,
            timeout_s=parsed.timeout,
        ),
        additional_metrics=parsed.additional_metrics,
        csv_metrics=tuple(parsed.csv_metrics),
        custom_metrics_files=tuple(str(Path(name).absolute()) for name in parsed.custom_metrics_files),
        stop_on_error=parsed.stop_on_error,
        quiet=parsed.quiet,
        progress_trace_period_s=parsed.progress_trace_period,
        requirements_file=str(Path(parsed.requirements_file).absolute())
        if parsed.requirements_file
        else None,
        gc_monitor=parsed.gc_monitor,
        no_code_sync=parsed.no_code_sync,
        remove_dirs_after=parsed.remove_dirs_after,
        repeat=parsed.repeat,
        canary=parsed.canary,
        shuffle=parsed.shuffle,
    )
