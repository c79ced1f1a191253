"""The arguments by which several commands choose what they run, and the types of arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples_utils.planning.options import Selection

Group = argparse._ActionsContainer


def add_spec(group: Group) -> None:
    """Adds ``--spec``."""
    group.add_argument(
        "--spec",
        nargs="+",
        default=["benchmarks.yml"],
        metavar="FILE",
        help="spec files, shell patterns, or folders of them (default: ./benchmarks.yml)",
    )


def add_selection(group: Group) -> None:
    """Adds ``--spec`` and what chooses among its entries."""
    add_spec(group)
    group.add_argument(
        "--benchmark",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only these, in this order; shell-style patterns",
    )
    group.add_argument(
        "--tag", nargs="+", default=[], metavar="TAG", help="only entries with one of these tags"
    )
    group.add_argument(
        "--exclude-tag", nargs="+", default=[], metavar="TAG", help="no entries with one of these tags"
    )
    group.add_argument(
        "--include-convergence",
        action="store_true",
        help="also entries with _conv in their name, which otherwise run only when named",
    )


def add_threshold(group: Group) -> None:
    """Adds ``--threshold``."""
    group.add_argument(
        "--threshold",
        type=share,
        default=0.02,
        metavar="SHARE",
        help="smallest change that matters, where the benchmark's own spec names none (default: 2%%)",
    )


def selection_of(parsed: argparse.Namespace) -> Selection:
    """What the arguments of ``add_selection`` choose."""
    from examples_utils.planning.options import Selection  # dataclasses take a tenth of the time of --help

    return Selection(
        specs=tuple(str(Path(name).absolute()) for name in parsed.spec),
        benchmarks=tuple(parsed.benchmark),
        tags=tuple(parsed.tag),
        exclude_tags=tuple(parsed.exclude_tag),
        include_convergence=parsed.include_convergence,
    )


def positive_int(text: str) -> int:
    """An argument's type. Raises ValueError."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def positive_seconds(text: str) -> float:
    """An argument's type. Raises ValueError."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def share(text: str) -> float:
    """An argument's type: 0.02 for ``2%`` or ``0.02``. Raises ArgumentTypeError."""
    from examples_utils.spec.threshold import parse_threshold

    try:
        return parse_threshold(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


positive_int.__name__ = "whole number from 1"  # argparse names the type in its message
positive_seconds.__name__ = "number of seconds above 0"
