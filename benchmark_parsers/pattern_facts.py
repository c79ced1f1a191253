"""Properties of a regex that are known before it runs, from Python's own parse of it.

All only save time: where the parser is not available, they are "unknown".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

try:
    from re import _parser as regex_parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_parse as regex_parser

_LOOKS = {"ASSERT", "ASSERT_NOT", "GROUPREF_EXISTS"}
_NESTED = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT", "SUBPATTERN", "ATOMIC_GROUP"}


@lru_cache(maxsize=256)
def required_literal(regexp: str) -> str | None:
    """Returns the longest text that every match contains, or None if none is known."""
    tree = _parse(regexp)
    if tree is None or tree.state.flags & re.IGNORECASE:
        return None
    runs = _literal_runs(tree)
    return max(runs, key=len, default="") or None


@lru_cache(maxsize=256)
def final_literal(regexp: str) -> str | None:
    """Returns the text with which every match ends, if no match depends on what follows it; None if none is known."""
    tree = _parse(regexp)
    if tree is None or tree.state.flags & re.IGNORECASE or _looks_around(tree):
        return None
    characters = []
    for operation, argument in reversed(list(tree)):
        if str(operation) != "LITERAL":
            break
        characters.append(chr(argument))
    return "".join(reversed(characters)) or None


@lru_cache(maxsize=256)
def _parse(regexp: str) -> Any | None:
    try:
        return regex_parser.parse(regexp)
    except (re.error, RecursionError, OverflowError):
        return None


def _literal_runs(tree: Any) -> list[str]:
    """Returns the runs of literal characters on the one path that every match takes."""
    runs = [""]
    for operation, argument in tree:
        if str(operation) == "LITERAL" and argument != ord("\n"):
            runs[-1] += chr(argument)
        elif str(operation) == "SUBPATTERN" and not argument[1]:
            runs += ["", *_literal_runs(argument[3]), ""]
        else:
            runs.append("")
    return runs


def _looks_around(tree: Any) -> bool:
    """Whether a part of the regex looks at text that the match does not contain."""
    return any(
        str(operation) in _LOOKS or any(map(_looks_around, _inner_trees(str(operation), argument)))
        for operation, argument in tree
    )


def _inner_trees(operation: str, argument: Any) -> list[Any]:
    if operation == "BRANCH":
        return list(argument[1])
    if operation in _NESTED:
        return [argument[-1]] if isinstance(argument, tuple) else [argument]
    return []
