"""Whether measured figures are what is wanted of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"\d+(\.\d+)?")
_BOUND = re.compile(r"([≥≤]) (\d+(?:\.\d+)?)")


def missed(lines: Iterable[str]) -> list[str]:
    """Those rows of a table ``| what | figure | … | wanted | … |`` whose figure is beyond the bound wanted of it.

    A bound is ``≥ N`` or ``≤ N`` in the unit of the figure, maybe with words after it. Rows without one are passed
    over.
    """
    return [line for line in lines if _misses(line)]


def _misses(line: str) -> bool:
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(cells) < 4 or not (bound := _BOUND.match(cells[3])) or not (figure := _NUMBER.match(cells[1])):
        return False
    measured, wanted = float(figure[0]), float(bound[2])
    return measured < wanted if bound[1] == "≥" else measured > wanted
