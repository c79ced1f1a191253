"""The `--threshold` option, and shares of a metric as arguments."""

from __future__ import annotations

import argparse

from examples_utils.arguments.types import Group
from examples_utils.spec.threshold import DEFAULT_THRESHOLD, parse_threshold


def add_threshold(group: Group) -> None:
    """Adds `--threshold`."""
    group.add_argument(
        "--threshold",
        type=share,
        default=DEFAULT_THRESHOLD,
        metavar="SHARE",
        help="smallest change that matters, for benchmarks whose spec sets none "
        f"(default: {DEFAULT_THRESHOLD:.0%}%)",
    )


def share(text: str) -> float:
    """Parses a share: 0.02 for `2%` or `0.02`. Raises ArgumentTypeError."""
    try:
        return parse_threshold(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
