"""Cells of CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What a spreadsheet takes for the start of a formula, also after the blanks that it removes (OWASP, CSV injection).
_STARTS_FORMULA = ("=", "+", "-", "@")


def header(columns: Iterable[str], raw: bool) -> dict[str, Any]:
    """Returns the first row: each column's name as `cell` makes it."""
    return {column: cell(column, raw) for column in columns}


def cells(row: Mapping[str, Any], raw: bool) -> dict[str, Any]:
    """Returns the row with each value as `cell` makes it."""
    return {key: cell(value, raw) for key, value in row.items()}


def cell(value: Any, raw: bool) -> Any:
    """Returns the value with U+FFFD for each NUL, which Python 3.10 cannot write and most programs cannot read.

    A text that a spreadsheet would run as a formula starts with an apostrophe, which the spreadsheet shows as text,
    unless `raw`.
    """
    if not isinstance(value, str):
        return value
    value = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return (
        f"'{value}"
        if not raw and value.lstrip().startswith(_STARTS_FORMULA) and not _is_number(value)
        else value
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
