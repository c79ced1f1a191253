"""The arguments of the command line, grouped for `-h`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from examples_utils.arguments.python import add_python
from examples_utils.arguments.selection import (
    add_repeat,
    add_selection,
    add_shuffle,
    add_spec,
    add_strict,
    add_timeout,
)
from examples_utils.arguments.types import Group, add_csv_raw, positive_seconds
from examples_utils.cli.arguments.ab import add_ab
from examples_utils.cli.arguments.compare import add_compare
from examples_utils.cli.arguments.history import add_commands as add_history_commands
from examples_utils.cli.arguments.nightly import add_nightly
from examples_utils.cli.arguments.report import add_report
from examples_utils.planning.options import CSV_FORMATS

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS = ("tree", "json", "yaml")


class _Parser(argparse.ArgumentParser):
    """Prints errors without the usage, which would fill the screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; {self.prog} -h lists the options\n")


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands; the parsed `command` is the command's name."""
    parser = _Parser(
        prog="python3 -m examples_utils",
        description="Run declarative benchmarks and keep their results.",
        epilog="Exit codes: 0 all passed, 1 a benchmark failed, 2 the request is wrong, 130 stopped by Ctrl-C.",
    )
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    benchmark = commands.add_parser(
        "benchmark", help="run benchmarks", description="Run the benchmarks of specs."
    )
    add_selection(benchmark.add_argument_group("what to run"))
    _add_order(benchmark.add_argument_group("how often and in which order"))
    _add_commands(benchmark.add_argument_group("changes to the commands"))
    _add_results(benchmark.add_argument_group("results and messages"))
    _add_preparation(benchmark.add_argument_group("Python, preparation and other hosts"))
    show = commands.add_parser("list", help="show benchmarks, variants and commands without running them")
    add_selection(show)
    show.add_argument("--format", choices=_FORMATS, default="tree", help="(default: %(default)s)")
    validate = commands.add_parser("validate", help="report every problem of specs, with file:line:column")
    add_spec(validate)
    add_strict(validate, argparse.BooleanOptionalAction, default=True)
    collect = commands.add_parser("collect", help="rebuild the result files of a log folder from its records")
    collect.add_argument("log_dir", metavar="LOG_DIR", help="the --log-dir of a run")
    _add_parse(commands.add_parser("parse", help="read metrics from existing output"))
    add_compare(commands)
    add_nightly(commands)
    add_ab(commands)
    add_report(commands)
    results = commands.add_parser("validate-results", help="report every problem of result files")
    results.add_argument(
        "files", nargs="+", metavar="FILE", help="benchmark_results.json or variant_result.json"
    )
    add_history_commands(commands)
    _add_doctor(commands.add_parser("doctor", help="check whether this machine can be measured well"))
    return parser


def _add_doctor(doctor: Group) -> None:
    doctor.add_argument(
        "--seconds",
        type=positive_seconds,
        default=20.0,
        metavar="SECONDS",
        help="how long to repeat the same work and to watch the machine (default: 20)",
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")


def _add_parse(parse: Group) -> None:
    parse.add_argument(
        "--parser", metavar="NAME", help="the parser of a tool, such as driver (default: the benchmark's own)"
    )
    add_spec(parse)
    parse.add_argument(
        "--benchmark", metavar="NAME", help="also read the metrics that this entry of the spec asks for"
    )
    parse.add_argument("--stdout", required=True, metavar="FILE", help="the command's output")
    parse.add_argument("--stderr", metavar="FILE", help="its output to stderr")
    parse.add_argument(
        "--exitcode", type=int, default=0, metavar="N", help="the command's exit code (default: 0)"
    )


def _add_order(group: Group) -> None:
    group.add_argument("--dry-run", action="store_true", help="print the commands instead of running them")
    add_repeat(group, 1)
    add_shuffle(group)
    group.add_argument(
        "--resume",
        metavar="LOG_DIR",
        help="continue a run that was stopped or killed, with that run's options",
    )
    group.add_argument(
        "--canary",
        action="store_true",
        help="before each variant run a fixed piece of work, to distinguish a slower machine from slower code",
    )
    group.add_argument("--stop-on-error", action="store_true", help="stop at the first variant that fails")
    add_timeout(group)


def _add_commands(group: Group) -> None:
    group.add_argument(
        "--allow-wandb",
        action="store_true",
        help="keep options with wandb in their name, which are otherwise removed from commands",
    )
    group.add_argument(
        "--compile-only",
        action="store_true",
        help="append --compile-only to the commands, remove --vipu-* arguments, and read no metrics",
    )
    group.add_argument(
        "--profile",
        action="store_true",
        help="profile: set autoReport in POPLAR_ENGINE_OPTIONS, and pass --profile to run_benchmark.py",
    )


def _add_results(group: Group) -> None:
    group.add_argument(
        "--log-dir", metavar="DIR", help="folder for all output (default: a fresh logs/<date and time>)"
    )
    group.add_argument(
        "--history",
        nargs="?",
        const="",
        metavar="URL",
        help="add the results to this history at the end: a file or postgresql://… (without URL: "
        "$EXAMPLES_UTILS_HISTORY, else ./history.db)",
    )
    group.add_argument(
        "--additional-metrics",
        action="store_true",
        help="add test_duration, cmd, result, git_commit_hash and env to the results in the CSV and JSON files",
    )
    group.add_argument(
        "--csv-metrics",
        nargs="+",
        default=[],
        metavar="NAME",
        help="write only these metrics to the CSV file, in this order; with --csv-format examples-utils: also these",
    )
    group.add_argument(
        "--csv-format",
        choices=CSV_FORMATS,
        default=CSV_FORMATS[0],
        help="full: parameters, status, reason and all metrics; examples-utils: as the original runner wrote it "
        "(default: %(default)s)",
    )
    add_csv_raw(group)
    group.add_argument(
        "--custom-metrics-files",
        nargs="+",
        default=[],
        metavar="FILE",
        help="Python files that call examples_utils.register_custom_metric",
    )
    group.add_argument(
        "--logging",
        choices=_LEVELS,
        help="lowest level of messages to show (default: INFO); if given, also passed on as POPLAR_LOG_LEVEL and "
        "POPART_LOG_LEVEL",
    )
    group.add_argument(
        "--quiet", action="store_true", help="do not show what the commands print; it is in the log folder"
    )
    group.add_argument(
        "--keep-secrets",
        action="store_true",
        help="do not replace secrets (values of *TOKEN*, *KEY*, *PASSWORD*, *SECRET* variables, credentials in URLs) "
        "with ***; only you can read the log folder then",
    )
    group.add_argument(
        "--progress-trace-period",
        type=positive_seconds,
        metavar="SECONDS",
        help="print a heartbeat every SECONDS while a command runs",
    )
    group.add_argument(
        "--gc-monitor",
        action="store_true",
        help="sample the devices every 5 s into ipu-monitor.jsonl; without an IPU, CPU, memory and frequency into "
        "system-monitor.jsonl, with a plot if matplotlib is installed",
    )
    group.add_argument(
        "--upload-checkpoints",
        nargs="*",
        metavar="STORE",
        help="refused, with the command that uploads them to wandb or s3",
    )


def _add_preparation(group: Group) -> None:
    add_python(group)
    group.add_argument(
        "--requirements-file",
        metavar="FILE",
        help="with --prepare: pip install this instead of the entries' own",
    )
    group.add_argument(
        "--no-code-sync",
        action="store_true",
        help="copy nothing to the hosts that a command's poprun --host names",
    )
    group.add_argument(
        "--remove-dirs-after",
        action="store_true",
        help="at the end, remove what was copied to the other hosts",
    )
