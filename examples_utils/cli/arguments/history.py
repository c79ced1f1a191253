"""The arguments of `history` and `import`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from examples_utils.arguments.history import add_history_option
from examples_utils.arguments.types import add_csv_raw, count
from examples_utils.cli.arguments.threshold import add_threshold

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[Any]

_RUN_HELP = "latest, latest~N, the beginning of a run id, branch:NAME, or a git revision such as HEAD~1"

_NAMES_HELP = (
    "a benchmark or variant, or a shell-style pattern of them; with :METRIC only this metric of them"
)


def add_commands(commands: _Commands) -> None:
    """Adds both commands; the parsed `part` is the name of the command of `history`."""
    history = commands.add_parser("history", help="store, list and show runs")
    parts = history.add_subparsers(title="commands", dest="part", required=True, metavar="COMMAND")
    _add_add(parts)
    _add_list(parts)
    _add_show(parts)
    _add_changes(parts)
    _add_regressions(parts)
    _add_accept(parts)
    _add_machines(parts)
    _add_export(parts)
    _add_prune(parts)
    _add_import(commands)


def _add_add(parts: _Commands) -> None:
    add = parts.add_parser(
        "add", help="add the results of runs; of a run that is already stored, only what is new"
    )
    add.add_argument(
        "paths", nargs="+", metavar="LOG_DIR", help="the --log-dir of a run, or its benchmark_results.json"
    )
    add_history_option(add)


def _add_list(parts: _Commands) -> None:
    show = parts.add_parser("list", help="list runs, the newest first")
    _add_filters(show)
    show.add_argument(
        "--limit", type=count, default=20, metavar="N", help="show at most N runs (default: 20; 0: all)"
    )
    show.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    add_history_option(show)


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", metavar="NAME", help="show only runs with variants of this suite")
    parser.add_argument("--branch", metavar="NAME", help="show only runs of this branch")


def _add_show(parts: _Commands) -> None:
    show = parts.add_parser(
        "show", help="show one run: metrics, settings, and what changed since the previous run"
    )
    show.add_argument("run", metavar="RUN", help=_RUN_HELP)
    show.add_argument("--metric", nargs="+", default=[], metavar="NAME", help="show only these metrics")
    show.add_argument("--logs", action="store_true", help="also show the ends of the variants' logs")
    show.add_argument("--format", choices=("text", "json"), default="text", help="(default: text)")
    add_history_option(show)


def _add_changes(parts: _Commands) -> None:
    changes = parts.add_parser(
        "changes", help="show lasting changes of metrics, and the commits that caused them"
    )
    changes.add_argument(
        "--benchmark",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="show only these benchmarks or variants; shell-style patterns",
    )
    changes.add_argument("--metric", nargs="+", default=[], metavar="NAME", help="show only these metrics")
    changes.add_argument("--suite", metavar="NAME", help="use only runs with variants of this suite")
    changes.add_argument(
        "--branch", metavar="NAME", help="use only runs of this branch (default: that of the newest run)"
    )
    changes.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    add_threshold(changes)
    add_history_option(changes)


def _add_regressions(parts: _Commands) -> None:
    show = parts.add_parser(
        "regressions",
        help="list the regressions that nights have reported: open ones, and who accepted which",
    )
    _add_series(show)
    show.add_argument("--all", action="store_true", help="also list those that are gone")
    show.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    add_history_option(show)


def _add_accept(parts: _Commands) -> None:
    accept = parts.add_parser(
        "accept",
        help="take a regression as intended: it is not open any more, and later nights compare with the new level",
        epilog="Exit codes: 0 accepted, now or already; 2 a name is unknown, or no night has called it.",
    )
    accept.add_argument("names", nargs="+", metavar="BENCHMARK[:METRIC]", help=_NAMES_HELP)
    accept.add_argument("--reason", metavar="TEXT", help="why it is intended; the report shows it")
    accept.add_argument(
        "--undo", action="store_true", help="open the last accepted regression of each metric again"
    )
    _add_series(accept)
    add_history_option(accept)


def _add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run",
        metavar="RUN",
        help="the machine, the branch and the nights up to this run (default: the latest of this machine, else of any)",
    )


def _add_machines(parts: _Commands) -> None:
    machines = parts.add_parser("machines", help="list, name, join and separate the machines of the runs")
    machines.add_argument(
        "machines",
        nargs="*",
        metavar="MACHINE",
        help="a name, the beginning of a key, or a host name (default: all)",
    )
    change = machines.add_mutually_exclusive_group()
    change.add_argument("--name", metavar="NAME", help="name the MACHINE; an empty NAME removes the name")
    change.add_argument(
        "--join",
        action="store_true",
        help="count the MACHINEs as one, so that their metrics are compared; the last one names it",
    )
    change.add_argument("--separate", action="store_true", help="undo the joins of the MACHINE")
    machines.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    add_history_option(machines)


def _add_export(parts: _Commands) -> None:
    export = parts.add_parser("export", help="write runs to a file, one row per measured value")
    export.add_argument("file", metavar="FILE", help="output file; - for standard output")
    export.add_argument(
        "--format", choices=("parquet", "csv", "json"), help="(default: by the extension of the file)"
    )
    add_csv_raw(export)
    export.add_argument("--run", nargs="+", default=[], metavar="RUN", help=f"export only these: {_RUN_HELP}")
    _add_filters(export)
    add_history_option(export)


def _add_prune(parts: _Commands) -> None:
    prune = parts.add_parser("prune", help="remove old runs")
    prune.add_argument("--keep-days", type=count, metavar="N", help="keep the runs of the last N days")
    prune.add_argument("--keep-runs", type=count, metavar="N", help="keep the newest N runs of each machine")
    prune.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, and remove nothing"
    )
    add_history_option(prune)


def _add_import(commands: _Commands) -> None:
    bring = commands.add_parser("import", help="import results of other runners and tools into the history")
    bring.add_argument(
        "files", nargs="+", metavar="FILE", help="result files, or with --parser the output of a tool"
    )
    bring.add_argument("--parser", metavar="NAME", help="the parser of the tool, such as hyperfine")
    bring.add_argument("--suite", metavar="NAME", help="suite of the tool's metrics (default: imported)")
    bring.add_argument(
        "--measured-here",
        action="store_true",
        help="record the fingerprints of this machine and of the checkout of the current folder",
    )
    add_history_option(bring)
