r"""Numbers that a regular expression cuts at a separator: `([\d.]+)` finds 1 in `1,234.5`."""

from __future__ import annotations

import re

from benchmark_parsers.unit_of_regex import end_of_first_group

# Comma, underscore, apostrophes, and the blanks that never break a line.
SEPARATORS = ",_'’\u00a0\u2009\u202f"
_NEAR = 4  # characters of a regex around its group, enough for `\s*,` and `[,;]`
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)")


def separators_around(regexp: str) -> tuple[str, str]:
    r"""Returns the separators that may cut a number before, and after, the first group: those not named right there.

    A regex that names one, such as `(\d+),(\d+)` for a table with commas, expects it.
    """
    end = end_of_first_group(regexp)
    start = regexp.find("(") if end else 0
    before, after = regexp[max(start - _NEAR, 0) : start], regexp[end : end + _NEAR] if end else ""
    return (
        "".join(separator for separator in SEPARATORS if separator not in before),
        "".join(separator for separator in SEPARATORS if separator not in after),
    )


def whole_number(match: re.Match[str], group: int, before: str, after: str) -> str:
    """Returns the group's text, or the whole of the number of which it is a part.

    The whole has a separator in it and so counts as no number: which of its parts is meant cannot be known.
    """
    start, end = match.span(group)
    text = match.string
    if start < 0:
        return ""
    if end > start and _is_separated(text, end, after):
        while end < len(text) and (
            text[end].isdigit() or text[end] == "." or _is_separated(text, end, after)
        ):
            end += 1
    if _THREE_DIGITS.match(text, start) and _is_separated(text, start - 1, before):
        while start > 0 and (text[start - 1].isdigit() or _is_separated(text, start - 1, before)):
            start -= 1
    return text[start:end]


def _is_separated(text: str, index: int, separators: str) -> bool:
    """Whether the character at the index is a separator between two digits."""
    return (
        0 < index < len(text) - 1
        and text[index] in separators
        and text[index - 1].isdigit()
        and text[index + 1].isdigit()
    )
