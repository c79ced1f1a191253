"""The `benchmark` command: a run, a resumed run or a dry run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from examples_utils.cli.arguments.parser import make_parser
from examples_utils.cli.list import dry_run
from examples_utils.cli.selection import command_options, selection_of
from examples_utils.execution.request import Archive, checked_request, not_prepared
from examples_utils.planning.options import RunOptions
from examples_utils.planning.plan import schedule
from examples_utils.problems import RequestError
from examples_utils.results.log_folder import repetition_folder, time_stamped


def benchmark(parsed: argparse.Namespace) -> int:
    """Runs benchmarks, or prints what would run. Returns 0, 1 if one failed, or 128 + signal.

    Raises:
        RequestError: The request is wrong; nothing has run.
    """
    if parsed.upload_checkpoints is not None:
        raise RequestError(_no_upload(parsed.upload_checkpoints))
    if parsed.resume:
        return _resume(parsed)
    log_dir = parsed.log_dir or str(time_stamped(Path("logs")))
    options = _run_options(parsed, log_dir)
    if parsed.dry_run:
        return _dry_run(options, log_dir)
    from examples_utils.execution.run import run_benchmarks  # a dry run does without

    return run_benchmarks(options, log_dir, _archive(parsed.history))


def _resume(parsed: argparse.Namespace) -> int:
    defaults = make_parser().parse_args(["benchmark"])
    given = [
        name
        for name, value in vars(parsed).items()
        if name not in ("resume", "command", "history") and value != getattr(defaults, name)
    ]
    if given:
        flags = ", ".join("--" + name.replace("_", "-") for name in given)
        raise RequestError(f"--resume takes all options from the stopped run; leave out {flags}")
    from examples_utils.execution.run import resume_benchmarks

    return resume_benchmarks(Path(parsed.resume), _archive(parsed.history))


def _dry_run(options: RunOptions, log_dir: str) -> int:
    request = checked_request(options, dict(os.environ))
    plan, redactor = request.plan, request.redactor
    if left_alone := not_prepared(options.command, plan):
        print(f"# {left_alone}")
    order = schedule(plan, options.repeat, options.shuffle)
    if options.command.profile:
        log_folder = Path(log_dir).absolute()
        order = [
            (planned.profiled(repetition_folder(log_folder, planned.folder, number, options.repeat)), number)
            for planned, number in order
        ]
    text = dry_run(order, options, plan.interpreter, redactor.variables if redactor else dict)
    print(redactor.text(text) if redactor else text)
    return 0


def _archive(history: str | None) -> Archive | None:
    """Returns the history that `--history` names; "" is the default one."""
    if history is None:
        return None
    from examples_utils.history.after_run import HistoryArchive

    return HistoryArchive(history)


def _no_upload(targets: Sequence[str]) -> str:
    program = {"s3": "aws s3 cp --recursive", "wandb": "wandb artifact put --type model"}
    commands = [f"`{program[target]} …`" for target in targets if target in program]
    by_hand = f" with {' and '.join(commands)}" if commands else ""
    return (
        f"{' '.join(['--upload-checkpoints', *targets])}: checkpoints are not uploaded; leave the option out, and "
        f"upload what latest_checkpoint_path names in benchmark_results.json{by_hand}"
    )


def _run_options(parsed: argparse.Namespace, log_dir: str) -> RunOptions:
    return RunOptions(
        selection=selection_of(parsed),
        command=replace(
            command_options(parsed, log_dir),
            allow_wandb=parsed.allow_wandb,
            compile_only=parsed.compile_only,
            profile=parsed.profile,
            logging=parsed.logging,
            requirements_file=parsed.requirements_file and str(Path(parsed.requirements_file).absolute()),
        ),
        additional_metrics=parsed.additional_metrics,
        csv_metrics=tuple(parsed.csv_metrics),
        csv_format=parsed.csv_format,
        csv_raw=parsed.csv_raw,
        custom_metrics_files=tuple(str(Path(name).absolute()) for name in parsed.custom_metrics_files),
        stop_on_error=parsed.stop_on_error,
        quiet=parsed.quiet,
        progress_trace_period_s=parsed.progress_trace_period,
        gc_monitor=parsed.gc_monitor,
        no_code_sync=parsed.no_code_sync,
        remove_dirs_after=parsed.remove_dirs_after,
        repeat=parsed.repeat,
        canary=parsed.canary,
        shuffle=parsed.shuffle,
        keep_secrets=parsed.keep_secrets,
    )
