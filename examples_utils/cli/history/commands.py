"""The subcommands of `history`, and `import`: add results of other runners and tools to the history."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from examples_utils.history.location import opened_history, refuse_without_packages
from examples_utils.problems import RequestError

if TYPE_CHECKING:
    from examples_utils.history.readers.results import Reading


def run_history(parsed: argparse.Namespace) -> int:
    """Runs a subcommand of `history`. Raises RequestError."""
    refuse_without_packages()
    parts: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "add": _add,
        "list": _list,
        "show": _show,
        "changes": _changes,
        "regressions": _regressions,
        "accept": _accept,
        "machines": _machines,
        "export": _export,
        "prune": _prune,
    }
    return parts[parsed.part](parsed)


def _add(parsed: argparse.Namespace) -> int:
    from examples_utils.history.readers.results import read_results

    return add_all(parsed.paths, read_results, parsed.history)


def add_all(names: Iterable[str], read: Callable[[Path], Reading], given_url: str | None) -> int:
    """Adds all readable results. Returns 0 if complete, 1 if parts were omitted, 2 if something could not be read."""
    from examples_utils.history.adding import add_reading

    exitcode = 0
    with opened_history(given_url, create=True) as history:
        for name in names:
            try:
                reading = read(Path(name))
            except RequestError as error:
                _print_error(str(error))
                exitcode = 2
                continue
            lines, warnings = add_reading(history, reading)
            print("\n".join(lines))
            for warning in warnings:
                print(f"warning: {warning}", file=sys.stderr)
            if reading.left_out:
                exitcode = max(exitcode, 1)
    return exitcode


def _print_error(message: str) -> None:
    print(message if ": error: " in message else f"error: {message}", file=sys.stderr)


def _list(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.listing import listing

    with opened_history(parsed.history) as history:
        runs = history.runs(suite=parsed.suite, branch=parsed.branch, limit=parsed.limit or None)
    print(listing(runs, parsed.format))
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.show_command import show_run

    with opened_history(parsed.history) as history:
        print(show_run(history, parsed.run, tuple(parsed.metric), parsed.format, logs=parsed.logs))
    return 0


def _changes(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.changes import changes_json, changes_text
    from examples_utils.comparison.changes import ChangeFilter, history_changes
    from examples_utils.comparison.options import CompareOptions

    wanted = ChangeFilter(tuple(parsed.benchmark), tuple(parsed.metric), parsed.suite, parsed.branch)
    with opened_history(parsed.history) as history:
        found = history_changes(history, wanted, CompareOptions(threshold=parsed.threshold))
    print(changes_json(found) if parsed.format == "json" else changes_text(found))
    return 0


def _regressions(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.accept import nights_of
    from examples_utils.cli.history.regressions import regressions_json, regressions_text

    with opened_history(parsed.history) as history:
        found = nights_of(history, parsed.run).reported
    shown = [one for one in reversed(found) if parsed.all or one.state != "gone"]
    print(regressions_json(shown) if parsed.format == "json" else regressions_text(shown))
    return 0


def _accept(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.accept import accept, take_back

    if parsed.undo and parsed.reason is not None:
        raise RequestError("--reason: --undo takes no reason; leave one of the two out")
    if not parsed.undo and parsed.reason is None:
        raise RequestError("accept: needs the reason, which the report shows: --reason TEXT")
    lines = (
        take_back(parsed.names, parsed.run, parsed.history)
        if parsed.undo
        else accept(parsed.names, parsed.reason, parsed.run, parsed.history)
    )
    print("\n".join(lines))
    return 0


def _machines(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.machines import change_machines, machine_listing

    with opened_history(parsed.history) as history:
        keys = change_machines(
            history, parsed.machines, parsed.name, join=parsed.join, separate=parsed.separate
        )
        print(machine_listing(history, keys, parsed.format))
    return 0


def _export(parsed: argparse.Namespace) -> int:
    from examples_utils.history.exporting import export_runs, file_format

    kind = file_format(parsed.file, parsed.format)
    if parsed.csv_raw and kind != "csv":
        raise RequestError(f"--csv-raw: {kind} has no cells of CSV; leave it out")
    with opened_history(parsed.history) as history:
        if parsed.run:
            for option, given in (("--suite", parsed.suite), ("--branch", parsed.branch)):
                if given:
                    raise RequestError(f"{option} {given}: --run names the runs; leave one of the two out")
            run_ids = [run_id for reference in parsed.run for run_id in history.resolve(reference)]
        else:
            found = history.runs(suite=parsed.suite, branch=parsed.branch)
            run_ids = [summary.run_id for summary in reversed(found)]
        rows = export_runs(history, list(dict.fromkeys(run_ids)), parsed.file, kind, parsed.csv_raw)
    print(f"{rows} rows of {len(run_ids)} runs: {parsed.file}", file=sys.stderr)
    return 0


def _prune(parsed: argparse.Namespace) -> int:
    from examples_utils.cli.history.listing import listing

    if parsed.keep_days is None and parsed.keep_runs is None:
        raise RequestError("prune: name what to keep: --keep-days N, --keep-runs N, or both")
    with opened_history(parsed.history) as history:
        removed = history.prune(
            keep_days=parsed.keep_days, keep_runs=parsed.keep_runs, dry_run=parsed.dry_run
        )
    if removed:
        print(listing(removed, "table"))
    print(f"{len(removed)} runs {'would be' if parsed.dry_run else 'were'} removed")
    return 0


def run_import(parsed: argparse.Namespace) -> int:
    """Runs `import`. Raises RequestError."""
    refuse_without_packages()
    from examples_utils.history.readers.results import read_results
    from examples_utils.history.readers.tool_output import Origin, check_tool, origin_here, read_tool_output

    if parsed.parser is None:
        for option, given in (("--suite", parsed.suite), ("--measured-here", parsed.measured_here)):
            if given:
                raise RequestError(
                    f"{option}: result files contain this themselves; leave it out, or name the --parser"
                )
        return add_all(parsed.files, read_results, parsed.history)
    check_tool(parsed.parser)
    origin = origin_here() if parsed.measured_here else Origin()
    suite = parsed.suite or "imported"
    return add_all(
        parsed.files, lambda file: read_tool_output(file, parsed.parser, suite, origin), parsed.history
    )
