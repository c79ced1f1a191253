"""Splits the command of an entry into words as a POSIX shell does, and expands its variables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_NEEDS_NO_RULES = re.compile(r"""[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\U0010ffff'"\\$]*""")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_PIECE = re.compile(
    r"""(?P<blank>[ \t\r\n]+)
    |   (?P<continued>\\\r?\n)
    |   \\(?P<escaped>.)
    |   '(?P<single>[^']*)'
    |   "(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"
    |   (?P<plain>[^ \t\r\n'"\\]+)""",
    re.DOTALL | re.VERBOSE,
)
_ESCAPED_IN_QUOTES = re.compile(r"\\(?:\r?(\n)|([\\\"$`]))")
_LINE_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")


def command_words(text: str, variables: Mapping[str, str] | None = None, mark: str = "") -> list[str]:
    """Returns the words of a command.

    A line break inside quotes becomes one blank, with the blanks around it: a folded block of YAML keeps those of
    lines that are indented further. `$NAME` and `${NAME}` become their values, in single quotes, too; the value of
    one outside of quotes is split into words. Names that are not in `variables` stay as they are. What is in quotes and
    has a `$` ends with `mark`.

    Raises:
        ValueError: A quote is not closed, or the text ends with a backslash.
    """
    if _NEEDS_NO_RULES.fullmatch(text):
        return text.split()
    words: list[str] = []
    word: str | None = None
    for part in _parts(text, variables or {}, mark):
        if part is None:
            words += [] if word is None else [word]
            word = None
        else:
            word = (word or "") + part
    return words if word is None else [*words, word]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces `$NAME` and `${NAME}` with their values; leaves unset names unchanged."""
    if "$" not in text:
        return text
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)


def _parts(text: str, variables: Mapping[str, str], mark: str) -> Iterator[str | None]:
    """Yields parts of words, and None where a word ends."""
    end = 0
    while end < len(text):
        if not (match := _PIECE.match(text, end)):
            fault = "escaped character" if text[end] == "\\" else "closing quotation"
            raise ValueError(f"No {fault}")
        end = match.end()
        kind, piece = match.lastgroup, match[match.lastgroup or 0]
        if kind == "blank":
            yield None
        elif kind == "plain":
            yield from _split_values(piece, variables)
        elif kind == "escaped":
            yield piece
        elif kind == "single":
            yield expand(_LINE_BREAK.sub(" ", piece), variables) + (mark if "$" in piece else "")
        elif kind == "double":
            yield _unquoted(piece, variables) + (mark if "$" in piece else "")


def _unquoted(piece: str, variables: Mapping[str, str]) -> str:
    if "\\" not in piece:
        return expand(_LINE_BREAK.sub(" ", piece), variables)
    start, parts = 0, []
    for escape in _ESCAPED_IN_QUOTES.finditer(piece):
        parts += [expand(_LINE_BREAK.sub(" ", piece[start : escape.start()]), variables), escape[2] or ""]
        start = escape.end()
    return "".join([*parts, expand(_LINE_BREAK.sub(" ", piece[start:]), variables)])


def _split_values(piece: str, variables: Mapping[str, str]) -> Iterator[str | None]:
    start = 0
    for match in _VARIABLE.finditer(piece) if "$" in piece else ():
        value = variables.get(match[1] or match[2])
        if value is None:
            continue
        if match.start() > start:
            yield piece[start : match.start()]
        start = match.end()
        # A blank at either end of the value separates it from its neighbour, as one inside does.
        for index, field in enumerate(re.split(r"[ \t\n]+", value)):
            if index:
                yield None
            if field:
                yield field
    if start < len(piece):
        yield piece[start:]
