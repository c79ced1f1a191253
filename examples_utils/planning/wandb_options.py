"""Removes options of Weights & Biases from commands, so that no run is reported unless it is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Any option with wandb in its name, such as --wandb-project or --enable-wandb. One that switches W&B off stays:
# without it, the program would report its run.
_OPTION = r"(?!--?(?:no|disable)[-_])--?(?=[\w.-]*wandb)[\w.-]+"
_WORD = re.compile(_OPTION, re.IGNORECASE)
_NEXT_OPTION = re.compile(r"-(?![\d.])")  # a word with - and a number is a value
_PART_OF_SHELL_WORD = r"""(?:"[^"]*"|'[^']*'|`[^`]*`|\$\([^()]*\)|\\.|[^\s|;&<>"'\\])"""
_IN_SHELL = re.compile(
    rf"(?<=\s){_OPTION}(?:={_PART_OF_SHELL_WORD}*|[ \t]+(?!-(?![\d.])){_PART_OF_SHELL_WORD}+)?(?=[\s|;&<>]|$)",
    re.IGNORECASE,
)


def without_wandb(words: Sequence[str]) -> list[str]:
    """Returns the words without the options of W&B and without their values."""
    kept: list[str] = []
    value_may_follow = False
    for word in words:
        name, equals, _ = word.partition("=")
        if _WORD.fullmatch(name):
            value_may_follow = not equals
        elif value_may_follow and not _NEXT_OPTION.match(word):
            value_may_follow = False
        else:
            value_may_follow = False
            kept.append(word)
    return kept


def without_wandb_in_shell(text: str) -> str:
    """Returns the text of a shell command without the options of W&B and without their values."""
    return _IN_SHELL.sub("", text).strip()
