r"""A form of a regex that finds in a block of lines what the regex finds in each line alone.

Searching a whole block at once is several times as fast as a search per line. A line holds no line end, so a regex
that matches none finds the same: `\s` becomes `[^\S\n]`, `[^,]` becomes `[^,\n]`, `.` never is a line end, and `^`,
`$`, `\A` and `\Z` stand at the ends of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

try:
    from re import _compiler as regex_compiler  # type: ignore[attr-defined]
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as regex_parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10
    import sre_compile as regex_compiler
    import sre_constants as codes
    import sre_parse as regex_parser

_LINE_END = (codes.LITERAL, ord("\n"))
_AS_THEY_ARE = {codes.GROUPREF, codes.ANY}
_REPEATS = {codes.MAX_REPEAT, codes.MIN_REPEAT, getattr(codes, "POSSESSIVE_REPEAT", None)}
_ENDS_OF_LINES = {
    codes.AT_BEGINNING: codes.AT_BEGINNING,
    codes.AT_BEGINNING_STRING: codes.AT_BEGINNING,
    codes.AT_END: codes.AT_END,
    codes.AT_END_STRING: codes.AT_END,
    codes.AT_BOUNDARY: codes.AT_BOUNDARY,
}
_OPPOSITES = {
    codes.CATEGORY_DIGIT: codes.CATEGORY_NOT_DIGIT,
    codes.CATEGORY_SPACE: codes.CATEGORY_NOT_SPACE,
    codes.CATEGORY_WORD: codes.CATEGORY_NOT_WORD,
}
_OPPOSITES |= {opposite: category for category, opposite in _OPPOSITES.items()}
_WITHOUT_LINE_END = {codes.CATEGORY_DIGIT, codes.CATEGORY_WORD, codes.CATEGORY_NOT_SPACE}


class _CrossesLinesError(Exception):
    """A part of a regex that has no form within a line."""


@lru_cache(maxsize=256)
def line_pattern(regexp: str) -> re.Pattern[str] | None:
    """Returns the form, or None for a valid regex that has none: it is to be searched line by line."""
    try:
        tree = regex_parser.parse(regexp)
        within = _within_line(tree)
        tree.state.flags = tree.state.flags & ~re.DOTALL | re.MULTILINE
        pattern: re.Pattern[str] = regex_compiler.compile(within)
    except (_CrossesLinesError, re.error, RecursionError, OverflowError):
        return None
    return pattern


def _within_line(tree: Any) -> Any:
    return regex_parser.SubPattern(tree.state, [item for part in tree for item in _part_within_line(*part)])


def _part_within_line(code: Any, argument: Any) -> Iterator[tuple[Any, Any]]:
    if code is codes.AT and argument in _ENDS_OF_LINES:
        yield code, _ENDS_OF_LINES[argument]
    elif code is codes.LITERAL and argument != ord("\n"):
        yield code, argument
    elif code is codes.NOT_LITERAL:
        yield codes.IN, [(codes.NEGATE, None), (codes.LITERAL, argument), _LINE_END]
    elif code is codes.IN:
        yield from _set_within_line(argument)
    elif code in _REPEATS:
        fewest, most, repeated = argument
        yield code, (fewest, most, _within_line(repeated))
    elif code is codes.SUBPATTERN and not argument[1] and not argument[2]:
        yield code, (*argument[:3], _within_line(argument[3]))
    elif code is codes.BRANCH:
        yield code, (argument[0], [_within_line(branch) for branch in argument[1]])
    elif code in (codes.ASSERT, codes.ASSERT_NOT):
        yield code, (argument[0], _within_line(argument[1]))
    elif code in _AS_THEY_ARE:
        yield code, argument
    else:
        raise _CrossesLinesError


def _set_within_line(members: list[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    if members[0][0] is codes.NEGATE:
        yield codes.IN, [*members, _LINE_END]
        return
    categories = {argument for code, argument in members if code is codes.CATEGORY}
    if any(_OPPOSITES[category] in categories for category in categories):  # such as [\s\S]
        yield codes.NOT_LITERAL, ord("\n")
    elif not any(_holds_line_end(*member) for member in members):
        yield codes.IN, members
    elif len(members) == 1 and categories:
        yield codes.IN, [(codes.NEGATE, None), (codes.CATEGORY, _OPPOSITES[categories.pop()]), _LINE_END]
    else:
        yield codes.ASSERT_NOT, (1, [_LINE_END])
        yield codes.IN, members


def _holds_line_end(code: Any, argument: Any) -> bool:
    if code is codes.RANGE:
        return bool(argument[0] <= ord("\n") <= argument[1])
    return (code, argument) == _LINE_END or (code is codes.CATEGORY and argument not in _WITHOUT_LINE_END)
