"""Numbers in text: those that a reader would take for one, whichever syntax a programming language adds."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_MOST_DIGITS = 300


class UnreadableError(ValueError):
    """An output holds a text where a number, or a unit, is expected. The message names it."""


def decimal(text: str) -> float:
    """Returns the number that a tool prints. Raises UnreadableError if the text is none, such as `1.2.3`."""
    number = number_of(text)
    if number is None:
        raise UnreadableError(f"{text[:60]!r} is not a number")
    return float(text)


def number_of(text: str) -> int | float | None:
    """Returns the decimal number that a text is, or None.

    Neither `1_000` nor `0x10` nor `1:30` is one, and `010` is ten. A number that is too large for a float is infinite.
    """
    text = text.strip()
    if not _DECIMAL.fullmatch(text):
        return None
    # A longer whole number is too large for a float: an error wherever one is needed.
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS else float(text)
