"""The arguments of ``nightly``."""

from __future__ import annotations

import argparse
from typing import Any

from examples_utils.arguments.history import add_history_option
from examples_utils.arguments.selection import add_selection
from examples_utils.arguments.types import positive_int, positive_seconds
from examples_utils.cli.arguments.threshold import add_threshold

# The same for all users, whatever their TMPDIR.
_LOCK = "/tmp/examples_utils-nightly.lock"


def add_nightly(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds ``nightly``."""
    nightly = commands.add_parser(
        "nightly",
        help="run, keep, and say what got slower since the nights before",
        description="Run benchmarks with the canary, add the results to the history, hold them against the nights "
        "before on this machine, repeat what looks slower, and write the verdict and the report.",
        epilog="Exit codes: 0 all passed and nothing regressed; 1 a benchmark failed, regressed or cannot be "
        "compared any more; 2 the request is wrong, or the history could not be used; 130 stopped by Ctrl-C.",
    )
    add_selection(nightly.add_argument_group("what to run"))
    run = nightly.add_argument_group("how to run it")
    run.add_argument(
        "--repeat",
        type=positive_int,
        default=5,
        metavar="N",
        help="run each variant N times, round-robin (default: 5)",
    )
    run.add_argument(
        "--shuffle", type=int, metavar="SEED", help="run the variants in a random order that the seed decides"
    )
    run.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="end a variant after this time, or its entry's timeout if that is shorter",
    )
    run.add_argument("--quiet", action="store_true", help="do not show what the commands print")
    run.add_argument(
        "--lock",
        default=_LOCK,
        metavar="FILE",
        help="a second night with the same file is refused (default: one for the machine, %(default)s)",
    )
    judge = nightly.add_argument_group("what to compare with")
    add_history_option(judge)
    judge.add_argument(
        "--window",
        type=positive_int,
        default=14,
        metavar="NIGHTS",
        help="how many nights make the base of the comparison (default: 14)",
    )
    add_threshold(judge)
    results = nightly.add_argument_group("results")
    results.add_argument(
        "--log-dir", metavar="DIR", help="where everything is kept (default: a fresh logs/<date and time>)"
    )
    results.add_argument(
        "--report",
        metavar="PATH",
        help="the page: a .html file, or a folder for report.html (default: report.html in the log folder)",
    )
    results.add_argument(
        "--all", action="store_true", help="show the figures that did not change as well in the table"
    )
