"""Tables as text, for a terminal, or for a file or a pipe; and the values in them."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

from examples_utils.control_characters import escaped


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Collection[int]) -> str:
    """Returns a Markdown table. Loading rich would take longer than everything else here.

    `numeric` are the columns that are right-aligned.
    """
    shown = [[escaped(" ".join(cell.split())) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            c.rjust(w) if i in numeric else c.ljust(w)
            for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(aligned)} |"

    rule = "|".join("-" * (w + 1) + (":" if i in numeric else "-") for i, w in enumerate(widths))
    return "\n".join([line(shown[0]), f"|{rule}|", *map(line, shown[1:])])


def terminal_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    numeric: Collection[int],
    width: int,
    styles: Sequence[str] | None = None,
) -> str:
    """Returns a table with borders that folds long cells to fit into `width` columns.

    `styles` are rich's styles of each row's first cell, such as `bold red`; None for no colours.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ROUNDED)
    for index, title in enumerate(header):
        table.add_column(escaped(title), overflow="fold", justify="right" if index in numeric else "left")
    for row, style in zip(rows, styles or [""] * len(rows), strict=True):
        first, *others = map(escaped, row)
        table.add_row(Text(first, style), *map(Text, others))
    text = io.StringIO()
    colours: dict[str, Any] = (
        {"force_terminal": True, "color_system": "standard"} if styles else {"no_color": True}
    )
    Console(file=text, width=width, highlight=False, **colours).print(table)
    return text.getvalue().rstrip()


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
