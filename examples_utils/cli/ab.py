"""The `ab` command: compare two revisions."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from examples_utils.ab.arms import ArmPreparer, revision_of
from examples_utils.ab.bisect import bisect, refuse_what_cannot_be_narrowed
from examples_utils.ab.git import repository_of
from examples_utils.ab.interleaved_runs import compared, interleaved_runs
from examples_utils.ab.worktrees import shared_paths, worktrees
from examples_utils.cli.selection import command_options, selection_of
from examples_utils.comparison.formats import formatted
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.output import check_output, nothing_compared, write_comparison
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.console import Console
from examples_utils.execution.interruption import Interrupted, Interruption
from examples_utils.planning.options import RunOptions
from examples_utils.problems import RequestError
from examples_utils.results.log_folder import time_stamped, write_durably
from examples_utils.results.record import FAILED
from examples_utils.run_model import Run


def ab(parsed: argparse.Namespace) -> int:
    """Compares two revisions.

    Returns 0, 1 if something regressed or failed, 3 if nothing could be compared, or 128 + signal.

    Raises:
        RequestError: A revision, a spec or an option is wrong.
    """
    _check_output(parsed)
    options = CompareOptions(threshold=parsed.threshold, interleaved=True)
    log_folder = (Path(parsed.log_dir) if parsed.log_dir else time_stamped(Path("logs"), "ab-")).absolute()
    repository, run_options = _what_to_run(parsed, log_folder)
    base = revision_of(repository, "--base", parsed.base)
    new = revision_of(repository, "--new", parsed.new)
    if parsed.bisect:
        refuse_what_cannot_be_narrowed(repository, base, new)
    shared = shared_paths(repository, parsed.share)
    interruption = Interruption()
    with _console(log_folder) as console, interruption.catching():
        try:
            with worktrees(repository, log_folder, shared) as trees:
                preparer = ArmPreparer(
                    repository, run_options, trees, log_folder, console, interruption.check
                )
                measured: Sequence[Run]
                if parsed.bisect:
                    comparison, measured = bisect(preparer, base, new, options)
                else:
                    arms = preparer.arm(base, "base"), preparer.arm(new, "next")
                    with interleaved_runs(arms, log_folder, console, interruption.check) as runs:
                        runs.run(run_options.repeat)
                        base_runs, new_runs = runs.measured()
                        comparison = compared(runs, base_runs, new_runs, options)
                        measured = [*base_runs, *new_runs]
        except Interrupted as stopped:
            console.error(f"{stopped}; results so far are in {log_folder}")
            return stopped.exitcode
        console.print("")
        write_durably(log_folder / "comparison.json", formatted(comparison, "json"))
    write_comparison(comparison, parsed.format, parsed.all, parsed.output, parsed.csv_raw)
    if reason := nothing_compared(comparison):
        print(f"warning: {reason}", file=sys.stderr)
    return _exit_code(comparison, measured)


def _check_output(parsed: argparse.Namespace) -> None:
    check_output(parsed.format, parsed.all, parsed.output, parsed.csv_raw)
    if parsed.format != "table" and parsed.output is None:
        raise RequestError(
            f"--format {parsed.format}: the terminal shows the progress of the runs; also give --output FILE"
        )


def _what_to_run(parsed: argparse.Namespace, log_folder: Path) -> tuple[Path, RunOptions]:
    """Returns the checkout of the specs, and the options with the paths of the specs in it."""
    selection = selection_of(parsed)
    # git reports its checkout by the real path, even if the user named it through a link.
    specs = [Path(spec).parent.resolve() / Path(spec).name for spec in selection.specs]
    repository = repository_of(specs[0])
    for spec in specs:
        if not spec.is_relative_to(repository):
            raise RequestError(f"--spec {spec}: is not in {repository}, which contains the other specs")
    return repository, RunOptions(
        selection=replace(selection, specs=tuple(map(str, specs))),
        command=command_options(parsed, str(log_folder)),
        quiet=True,
        repeat=parsed.repeat,
    )


@contextlib.contextmanager
def _console(log_folder: Path) -> Iterator[Console]:
    console = Console("WARNING", show_child_output=False)
    try:
        log_folder.mkdir(parents=True, exist_ok=True)
        console.open_logs(log_folder)
    except OSError as error:
        raise RequestError(f"--log-dir {log_folder}: cannot be written: {error.strerror}") from None
    try:
        console.print(f"results go to {log_folder}")
        yield console
    finally:
        console.close()


def _exit_code(comparison: Comparison, measured: Sequence[Run]) -> int:
    bad: Sequence[Verdict] = (Verdict.REGRESSED, Verdict.FAILED)
    # A failure in base is no verdict on new.
    failed = any(facts.status == FAILED for run in measured for facts in run.variants.values())
    if failed or any(one.verdict in bad for one in comparison.judged):
        return 1
    return 3 if nothing_compared(comparison) else 0
