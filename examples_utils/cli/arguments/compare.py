"""The arguments of `compare`, and the output options that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from examples_utils.arguments.history import add_history_option
from examples_utils.arguments.types import Group, add_csv_raw
from examples_utils.cli.arguments.threshold import add_threshold, share
from examples_utils.comparison.formats import FORMATS


def add_compare(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `compare`."""
    compare = commands.add_parser(
        "compare",
        help="report what got slower or faster between two runs",
        description="Compare the metrics of NEW with those of BASE, with statistics.",
        epilog="A run is a result file, a log folder, or, in the history: latest, latest~1, a run id or its beginning, "
        "a revision of git such as HEAD~1, or the last runs of a branch, such as branch:main:5. "
        "Exit codes: 0 no regression, 1 a regression or a benchmark that newly failed, 2 the request is wrong, 3 "
        "nothing could be compared.",
    )
    compare.add_argument("base", metavar="BASE", help="the run or runs to compare with")
    compare.add_argument("new", metavar="NEW", help="the run or runs to test")
    add_history_option(compare)
    compare.add_argument("--metrics", nargs="+", default=[], metavar="NAME", help="show only these metrics")
    compare.add_argument(
        "--benchmark",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="show only these benchmarks or variants; shell-style patterns",
    )
    add_threshold(compare)
    compare.add_argument(
        "--run-noise",
        type=share,
        metavar="SHARE",
        help="standard deviation between two runs of the same code beyond that of their repetitions, which two single "
        "runs cannot show (default: estimated from the history, else from the suite)",
    )
    add_output(compare)


def add_output(group: Group) -> None:
    """Adds format and destination of a comparison."""
    group.add_argument("--format", choices=FORMATS, default="table", help="(default: %(default)s)")
    group.add_argument(
        "--all", action="store_true", help="show all metrics, also unchanged ones (--format table)"
    )
    add_csv_raw(group)
    group.add_argument("--output", metavar="FILE", help="write the comparison to FILE; print only the header")
