"""The arguments of `ab`."""

from __future__ import annotations

import argparse
from typing import Any

from examples_utils.arguments.python import add_python
from examples_utils.arguments.selection import add_repeat, add_selection, add_timeout
from examples_utils.cli.arguments.compare import add_output
from examples_utils.cli.arguments.threshold import add_threshold


def add_ab(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `ab`."""
    ab = commands.add_parser(
        "ab",
        help="report what got slower or faster between two revisions, run alternately on this machine",
        description="Check out two revisions of git, run their benchmarks alternately, and compare them.",
        epilog="Exit codes: 0 no regression, 1 a regression or a benchmark that failed, 2 the request is wrong, 3 "
        "nothing could be compared, 130 stopped by Ctrl-C. No checkout is left behind.",
    )
    revisions = ab.add_argument_group("what to compare")
    revisions.add_argument("--base", required=True, metavar="REF", help="the revision to compare with")
    revisions.add_argument(
        "--new",
        default=".",
        metavar="REF",
        help="the revision to test; . is the working tree with its changes (default: %(default)s)",
    )
    revisions.add_argument(
        "--bisect",
        action="store_true",
        help="between base and new, find the first commit that is slower than base",
    )
    revisions.add_argument(
        "--share",
        nargs="+",
        default=[],
        metavar="PATH",
        help="data of this checkout that is not in git, linked into the checkouts of the revisions",
    )
    add_selection(ab.add_argument_group("what to run"))
    order = ab.add_argument_group("how often")
    add_repeat(order, 10, " on each side, alternately")
    add_timeout(order)
    add_python(ab.add_argument_group("Python and preparation"))
    results = ab.add_argument_group("results and messages")
    results.add_argument(
        "--log-dir",
        metavar="DIR",
        help="folder for the output of both sides (default: a fresh logs/ab-<date and time>)",
    )
    add_threshold(results)
    add_output(results)
