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

_PLAIN = {"LITERAL", "ANY", "AT", "GROUPREF"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
_BOUNDARIES_OF_LINES = {"AT_BEGINNING", "AT_END", "AT_BOUNDARY"}


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
    if tree is None or tree.state.flags & re.IGNORECASE or not is_line_safe(regexp):
        return None
    characters = []
    for operation, argument in reversed(list(tree)):
        if str(operation) != "LITERAL":
            break
        characters.append(chr(argument))
    return "".join(reversed(characters)) or None


@lru_cache(maxsize=256)
def is_line_safe(regexp: str) -> bool:
    """Whether searching many lines at once (with re.MULTILINE) finds the same as searching each line alone."""
    tree = _parse(regexp)
    return tree is not None and not tree.state.flags & (re.DOTALL | re.VERBOSE) and _stays_in_line(tree)


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


def _stays_in_line(tree: Any) -> bool:
    return all(_operation_stays_in_line(str(operation), argument) for operation, argument in tree)


def _operation_stays_in_line(operation: str, argument: Any) -> bool:
    if operation == "AT":
        return str(argument) in _BOUNDARIES_OF_LINES
    if operation == "LITERAL":
        return bool(argument != ord("\n"))
    if operation == "IN":
        return _set_excludes_newline(argument)
    if operation in _REPEATS:
        return _stays_in_line(argument[2])
    if operation == "SUBPATTERN":
        return not argument[1] and _stays_in_line(argument[3])
    if operation == "BRANCH":
        return all(_stays_in_line(branch) for branch in argument[1])
    return operation in _PLAIN


def _set_excludes_newline(members: Any) -> bool:
    names = [str(operation) for operation, _ in members]
    if "NEGATE" in names:
        return any(operation == "LITERAL" and argument == ord("\n")
                   for operation, (_, argument) in zip(names, members, strict=True))  # fmt: skip
    return all(
        _member_excludes_newline(name, argument) for name, (_, argument) in zip(names, members, strict=True)
    )


def _member_excludes_newline(name: str, argument: Any) -> bool:
    if name == "LITERAL":
        return bool(argument != ord("\n"))
    if name == "RANGE":
        return not argument[0] <= ord("\n") <= argument[1]
    return str(argument) in ("CATEGORY_DIGIT", "CATEGORY_WORD")
