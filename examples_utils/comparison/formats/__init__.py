"""A comparison as text: one file per format, each a pure function."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from examples_utils.comparison.verdicts import Comparison

# The module and the function of each format but the table and CSV.
_WRITERS = {
    "markdown": "markdown:comparison_markdown",
    "json": "json_document:comparison_json",
    "junit": "junit:comparison_junit",
}
FORMATS = ("table", *_WRITERS, "csv")


def formatted(
    comparison: Comparison,
    name: str,
    show_all: bool = False,
    width: int | None = None,
    colours: bool = False,
    csv_raw: bool = False,
) -> str:
    """Returns the comparison in the format of this name; the text ends in a newline.

    Args:
        comparison: The comparison to format.
        name: One of `FORMATS`.
        show_all: Whether a table also shows unchanged metrics. The other formats always do.
        width: Of the terminal; None for a file or a pipe.
        colours: Whether the terminal shows colours.
        csv_raw: Whether cells of CSV that look like a formula stay as they are.
    """
    if name == "table":
        from examples_utils.comparison.formats.table import comparison_table

        return comparison_table(comparison, show_all, width, colours)
    if name == "csv":
        from examples_utils.comparison.formats.csv_rows import comparison_csv

        return comparison_csv(comparison, csv_raw)
    write: Callable[[Comparison], str] = resolve_name(f"{__name__}.{_WRITERS[name]}")
    return write(comparison)
