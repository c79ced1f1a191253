"""The unit in a regular expression itself: the word after its first group."""

from __future__ import annotations

import re
from functools import lru_cache

from benchmark_parsers.parsed import HIGHER, LOWER
from benchmark_parsers.units import better, same_unit_spelled_canonically

_ESCAPED = re.compile(r"\\([^\w\s])")
_NEXT_WORD = re.compile(r"(?:\s|\\s[*+?]{0,2}|\\ )*([A-Za-zµμ%][\w/µμ]*)(?![\w\\+*?{])")


@lru_cache(maxsize=256)
def unit_of_regex(regexp: str) -> str | None:
    r"""Returns `ms` for `latency: (.*?) ms`, `samples/sec` for `(.*?) samples\/sec`; None for no known unit."""
    _, end = span_of_first_group(regexp)
    word = _NEXT_WORD.match(_ESCAPED.sub(r"\1", regexp[end:])) if end else None
    return same_unit_spelled_canonically(word[1]) if word else None


def direction_of(name: str, unit: str | None) -> str | None:
    """Returns the better direction, as far as the unit or the metric's name determines it."""
    if direction := better(unit):
        return direction
    if "throughput" in name:
        return HIGHER
    return LOWER if "latency" in name else None


def span_of_first_group(regexp: str) -> tuple[int, int]:
    """Returns where the first capturing group starts and ends; zeros if that is not easy to determine."""
    depth, index, in_set, start_depth, start = 0, 0, False, 0, 0
    while index < len(regexp):
        character = regexp[index]
        if character == "\\":
            index += 1
        elif in_set:
            in_set = character != "]"
        elif character == "[":
            in_set = True
            index += regexp[index + 1 : index + 2] == "]"
        elif character == "(":
            depth += 1
            captures = regexp[index + 1 : index + 2] != "?" or regexp[index + 1 : index + 4] == "?P<"
            if captures and not start_depth:
                start_depth, start = depth, index
        elif character == ")":
            if depth == start_depth:
                return start, index + 1
            depth -= 1
        index += 1
    return 0, 0
