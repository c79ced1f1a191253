"""The value of a metric as tables and sentences show it."""

from __future__ import annotations


def format_metric(value: object) -> str:
    """Formats a value with five significant digits, without an exponent between 0.0001 and 10 million."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4e}"
    digits = (
        max(0, 4 - len(str(int(abs(value)))) + (abs(value) < 1)) if abs(value) >= 1e-2 or not value else 6
    )
    return f"{value:.{digits}f}"
