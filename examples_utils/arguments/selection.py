"""The arguments that select what to run, and how often."""

from __future__ import annotations

import argparse

from examples_utils.arguments.types import Group, positive_int, positive_seconds


def add_spec(group: Group) -> None:
    """Adds `--spec`."""
    group.add_argument(
        "--spec",
        nargs="+",
        default=["benchmarks.yml"],
        metavar="FILE",
        help="spec files, shell patterns, or folders of them (default: ./benchmarks.yml)",
    )


def add_strict(
    group: Group, action: type[argparse.Action] | str = "store_true", default: bool = False
) -> None:
    """Adds `--strict`."""
    group.add_argument(
        "--strict",
        action=action,
        default=default,
        help=f"refuse a spec with a duplicate key, of which otherwise the last one counts (default: {default})",
    )


def add_selection(group: Group) -> None:
    """Adds `--spec` and the options that select among its entries."""
    add_spec(group)
    group.add_argument(
        "--benchmark",
        nargs="+",
        default=[],
        metavar="NAME",
        help="run only these, in this order; shell-style patterns",
    )
    group.add_argument(
        "--tag", nargs="+", default=[], metavar="TAG", help="run only entries with one of these tags"
    )
    group.add_argument(
        "--exclude-tag", nargs="+", default=[], metavar="TAG", help="run no entries with one of these tags"
    )
    group.add_argument(
        "--include-convergence",
        action="store_true",
        help="also run entries with _conv in their name, which otherwise run only when named",
    )
    add_strict(group)


def add_repeat(group: Group, default: int, order: str = ", round-robin") -> None:
    """Adds `--repeat`; `order` describes that of the repetitions."""
    group.add_argument(
        "--repeat",
        type=positive_int,
        default=default,
        metavar="N",
        help=f"run each variant N times{order} (default: %(default)s)",
    )


def add_shuffle(group: Group) -> None:
    """Adds `--shuffle`."""
    group.add_argument(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="run the variants in a random order, determined by the seed",
    )


def add_timeout(group: Group) -> None:
    """Adds `--timeout`."""
    group.add_argument(
        "--timeout",
        type=positive_seconds,
        metavar="SECONDS",
        help="stop a variant after this time, or its entry's timeout if that is shorter",
    )
