"""Cells of CSV files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def without_nul(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the row with U+FFFD for each NUL."""
    return {key: cell(value) for key, value in row.items()}


def cell(value: Any) -> Any:
    """Returns the value with U+FFFD for each NUL: Python 3.10 cannot write one, and most programs cannot read one."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
