"""The values in the text of a command that may be secret: those of variables and of options such as --password."""

from __future__ import annotations

import re

_VALUE = r"""('[^'$]*'|"[^"$]*"|[^\s$'"{}]+)(?=[\s;&|)]|$)"""
# Of a variable, in a shell command or before a command of `env`; a value that names another variable is that one's.
_ASSIGNMENT = re.compile(rf"(?:^|(?<=[\s;&|(]))([A-Z_][A-Z0-9_]*)={_VALUE}")
# Not --tokenizer, --eos-token, --max-tokens or --sort-key, which are settings of models and programs.
_OPTION = re.compile(
    r"(?<=\s)--?((?:[a-z0-9]+[-_])*(?:password|passwd|passphrase|secret|credentials?)|token"
    r"|(?:[a-z0-9]+[-_])*(?:api|access|account|auth|bearer|github|gitlab|hf|hub|license|private|secret|session|wandb)[-_]?"
    rf"(?:token|key))(?:=|\s+(?!-)){_VALUE}",
    re.IGNORECASE,
)


def given_values(command: str) -> list[tuple[str, str]]:
    """Returns the names of variables and options with the values that the command gives them."""
    return [
        (match[1], match[2].strip("'\""))
        for part in (_ASSIGNMENT, _OPTION)
        for match in part.finditer(command)
    ]


def without_given_values(command: str) -> str:
    """Returns the rest of the command."""
    return _OPTION.sub("", _ASSIGNMENT.sub("", command))
