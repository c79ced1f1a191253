"""Argument types, named as argparse should name them in its messages."""

from __future__ import annotations

import argparse

Group = argparse._ActionsContainer


def positive_int(text: str) -> int:
    """Parses an integer of at least 1. Raises ValueError."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def positive_seconds(text: str) -> float:
    """Parses a number of seconds above 0. Raises ValueError."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Parses an integer of at least 0. Raises ValueError."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


positive_int.__name__ = "whole number from 1"  # argparse names the type in its message
positive_seconds.__name__ = "number of seconds above 0"
count.__name__ = "whole number from 0"


def add_csv_raw(group: Group) -> None:
    """Adds `--csv-raw`."""
    group.add_argument(
        "--csv-raw",
        action="store_true",
        help="write texts that begin with =, +, - or @ to CSV as they are; by default an apostrophe precedes them, as "
        "spreadsheets would run them as formulas",
    )
