"""Splits a command line into words, and joins words to a command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

# Printable ASCII and blanks, without quotes and backslashes.
_NEEDS_NO_SHELL_RULES = re.compile(r"""[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\U0010ffff'"\\]*""")


def split_words(text: str) -> list[str]:
    """Returns the same as `shlex.split`, in a tenth of the time if there is nothing to unquote.

    Raises ValueError for an unterminated quote.
    """
    return text.split() if _NEEDS_NO_SHELL_RULES.fullmatch(text) else shlex.split(text)


def join_words(words: Sequence[str]) -> str:
    """Returns one line that a POSIX shell, and `split_words`, would split into the same words."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    # Code with quotes in it stays readable in double quotes, where nothing in it is special to a shell.
    if "'" in word and not any(character in word for character in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
