r"""Numbers that a regular expression cuts at a separator: `([\d.]+)` finds 1 in `1,234.5`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from benchmark_parsers.line_pattern import line_pattern
from benchmark_parsers.unit_of_regex import span_of_first_group

# Comma, underscore, apostrophes, and the blanks that never break a line.
SEPARATORS = ",_'’\u00a0\u2009\u202f"
_NEAR = 4  # characters of a regex around its group, enough for `\s*,` and `[,;]`
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)")
_SEPARATED = {separator: re.compile(rf"{separator}(?=\d)(?<=\d{separator})") for separator in SEPARATORS}
_LITERAL = r"(?:(?<!\\)[ A-Za-z:=/%-]|\\[/ :=%-])"
_LITERAL_BEFORE = re.compile(rf"{_LITERAL}(?:{_LITERAL}[*?])*$")
_LITERAL_AFTER = re.compile(rf"{_LITERAL}(?![*?{{|])")


@dataclass(frozen=True)
class Cuts:
    r"""Where a regex may cut a number: the separators `before` and `after` its first group.

    A regex that names a separator right there, such as `(\d+),(\d+)` for a table with commas, expects it; next to a
    literal, nothing can be cut. `traps` match what the regex matches where it cuts a number, and maybe more.
    """

    before: str
    after: str
    traps: tuple[re.Pattern[str], ...]

    def may_be_in(self, text: str) -> bool:
        """Whether a number in the text may be cut: False for most texts, at little cost."""
        return (
            bool(self.traps) and _has_separated_digits(text) and any(trap.search(text) for trap in self.traps)
        )


def cuts_of(regexp: str) -> Cuts:
    """Returns where a regex may cut a number; it must be valid."""
    start, end = span_of_first_group(regexp)
    if not end:  # the whole match counts
        regexp = f"(?:{regexp})"
        end = len(regexp)
    before = "" if _LITERAL_BEFORE.search(regexp[:start]) else _unnamed(regexp[max(start - _NEAR, 0) : start])
    after = "" if _LITERAL_AFTER.match(regexp[end:]) else _unnamed(regexp[end : end + _NEAR])
    traps = []
    if before:
        traps.append(rf"{regexp[:start]}(?<=\d[{before}])(?=\d){regexp[start:]}")
    if after:
        traps.append(rf"{regexp[:end]}(?<=\d)(?=[{after}]\d){regexp[end:]}")
    return Cuts(before, after, tuple(_compiled(trap) for trap in traps))


def _unnamed(part: str) -> str:
    return "".join(separator for separator in SEPARATORS if separator not in part)


def _compiled(trap: str) -> re.Pattern[str]:
    try:
        return line_pattern(trap) or re.compile(trap, re.MULTILINE)
    except (re.error, RecursionError, OverflowError):  # such as flags that are no longer at the start
        return re.compile("")


@lru_cache(maxsize=1)  # for all metrics of a block
def _has_separated_digits(text: str) -> bool:
    return any(separator in text and pattern.search(text) for separator, pattern in _SEPARATED.items())


def whole_number(match: re.Match[str], group: int, cuts: Cuts) -> str:
    """Returns the group's text, or the whole of the number of which it is a part.

    The whole has a separator in it and so counts as no number: which of its parts is meant cannot be known.
    """
    start, end = match.span(group)
    text = match.string
    if start < 0:
        return ""
    if end > start and _is_separated(text, end, cuts.after):
        while end < len(text) and (
            text[end].isdigit() or text[end] == "." or _is_separated(text, end, cuts.after)
        ):
            end += 1
    if _THREE_DIGITS.match(text, start) and _is_separated(text, start - 1, cuts.before):
        while start > 0 and (text[start - 1].isdigit() or _is_separated(text, start - 1, cuts.before)):
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
