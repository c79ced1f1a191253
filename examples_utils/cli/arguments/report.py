"""The arguments of `report`."""

from __future__ import annotations

import argparse
from typing import Any

from examples_utils.arguments.history import add_history_option
from examples_utils.arguments.types import positive_int
from examples_utils.cli.arguments.threshold import add_threshold

FORMATS = ("html", "markdown")
PAGE_FILE = "report.html"
NIGHTS = 365


def add_report(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `report`."""
    report = commands.add_parser(
        "report",
        help="write a page: what regressed, since when, and the history of each metric",
        description="Write one HTML file, or a comment for a pull request, about a run of the history.",
        epilog="Exit codes: 0 written, whatever the verdicts are; 2 the request is wrong.",
    )
    add_history_option(report)
    report.add_argument(
        "--run",
        default="latest",
        metavar="RUN",
        help="the run to report: latest, latest~1, a run id or its beginning, a revision of git (default: latest)",
    )
    report.add_argument(
        "--base",
        metavar="RUN",
        help="compare with this run, or the runs of branch:NAME:N (default: earlier nights on the same machine)",
    )
    report.add_argument(
        "--branch", metavar="NAME", help="the branch of the earlier nights (default: that of the run)"
    )
    report.add_argument(
        "--nights",
        type=positive_int,
        default=NIGHTS,
        metavar="N",
        help="length of the history shown, in runs (default: %(default)s)",
    )
    report.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="(default: %(default)s)")
    report.add_argument(
        "--output",
        metavar="FILE",
        help=f"output file (default: {PAGE_FILE}; markdown goes to the terminal)",
    )
    add_threshold(report)
