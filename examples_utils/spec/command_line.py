"""Joins words to a command line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def join_words(words: Sequence[str]) -> str:
    """Returns one line that a POSIX shell would split into the same words."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    # Code with quotes in it stays readable in double quotes, where nothing in it is special to a shell.
    if "'" in word and not any(character in word for character in '"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)
