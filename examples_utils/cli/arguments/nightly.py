"""The arguments of `nightly`."""

from __future__ import annotations

import argparse
from typing import Any

from examples_utils.arguments.history import add_history_option
from examples_utils.arguments.python import add_python
from examples_utils.arguments.selection import add_repeat, add_selection, add_shuffle, add_timeout
from examples_utils.arguments.types import positive_int
from examples_utils.cli.arguments.threshold import add_threshold

# The same for all users, whatever their TMPDIR.
_LOCK = "/tmp/examples_utils-nightly.lock"


def add_nightly(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `nightly`."""
    nightly = commands.add_parser(
        "nightly",
        help="run benchmarks, store them, and report what got slower since earlier nights",
        description="Run benchmarks with the canary, add the results to the history, compare them with earlier nights "
        "on this machine, rerun what looks slower, up to 15 times, until the verdict is settled, and write the verdict "
        "and the report.",
        epilog="Exit codes: 0 all passed and nothing regressed; 1 a benchmark failed, regressed or cannot be "
        "compared; 2 the request is wrong, or the history could not be used; 130 stopped by Ctrl-C.",
    )
    add_selection(nightly.add_argument_group("what to run"))
    run = nightly.add_argument_group("how to run it")
    add_repeat(run, 5)
    add_shuffle(run)
    add_timeout(run)
    add_python(run)
    run.add_argument("--quiet", action="store_true", help="do not show what the commands print")
    run.add_argument(
        "--lock",
        default=_LOCK,
        metavar="FILE",
        help="refuse to start while another night holds this file (default: one for the machine, %(default)s)",
    )
    judge = nightly.add_argument_group("what to compare with")
    add_history_option(judge)
    judge.add_argument(
        "--window",
        type=positive_int,
        default=14,
        metavar="NIGHTS",
        help="number of nights in the baseline (default: 14)",
    )
    add_threshold(judge)
    accept = nightly.add_argument_group("instead of a night")
    accept.add_argument(
        "--accept",
        nargs="+",
        default=[],
        metavar="BENCHMARK[:METRIC]",
        help="run nothing, and take a regression as intended, as history accept does: it is not open any more, and "
        "later nights compare with the new level",
    )
    accept.add_argument(
        "--reason", metavar="TEXT", help="with --accept: why it is intended; the report shows it"
    )
    results = nightly.add_argument_group("results")
    results.add_argument(
        "--log-dir", metavar="DIR", help="folder for all output (default: a fresh logs/<date and time>)"
    )
    results.add_argument(
        "--report",
        metavar="PATH",
        help="the page: a .html file, or a folder for report.html (default: report.html in the log folder)",
    )
    results.add_argument("--all", action="store_true", help="also show unchanged metrics in the table")
