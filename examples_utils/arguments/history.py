"""The `--history` option."""

from __future__ import annotations

import argparse

_HELP = "a file or postgresql://… (default: $EXAMPLES_UTILS_HISTORY, else ./history.db)"


def add_history_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Adds `--history URL`."""
    parser.add_argument("--history", metavar="URL", help=_HELP)
