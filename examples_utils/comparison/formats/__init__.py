"""A comparison as text: one file per format, each a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from examples_utils.comparison.verdicts import Comparison

FORMATS = ("table", "markdown", "json", "junit", "csv")


def formatted(
    comparison: Comparison, name: str, show_all: bool = False, width: int | None = None, colours: bool = False
) -> str:
    """Returns the comparison in the format of this name; the text ends in a newline.

    Args:
        comparison: The comparison to format.
        name: One of `FORMATS`.
        show_all: Whether a table also shows unchanged metrics. The other formats always do.
        width: Of the terminal; None for a file or a pipe.
        colours: Whether the terminal shows colours.
    """
    if name == "table":
        from examples_utils.comparison.formats.table import comparison_table

        return comparison_table(comparison, show_all, width, colours)
    if name == "markdown":
        from examples_utils.comparison.formats.markdown import comparison_markdown

        return comparison_markdown(comparison)
    if name == "json":
        from examples_utils.comparison.formats.json_document import comparison_json

        return comparison_json(comparison)
    if name == "junit":
        from examples_utils.comparison.formats.junit import comparison_junit

        return comparison_junit(comparison)
    from examples_utils.comparison.formats.csv_rows import comparison_csv

    return comparison_csv(comparison)
