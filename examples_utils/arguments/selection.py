"""The arguments that select what to run."""

from __future__ import annotations

import argparse

from examples_utils.arguments.types import Group


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
