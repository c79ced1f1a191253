"""The values in the text of a command that may be secret: of variables, options such as --password, and headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

_VALUE = r"""('[^'$]*'|"[^"$]*"|[^\s$'"{}]+)(?=[\s;&|)'"]|$)"""
# Of a variable, in a shell command or before a command of `env`; a value that names another variable is that one's.
_ASSIGNMENT = re.compile(rf"(?:^|(?<=[\s;&|('\"]))([A-Z_][A-Z0-9_]*)={_VALUE}")
# Not --tokenizer, --eos-token, --max-tokens or --sort-key, which are settings of models and programs.
_OPTION = re.compile(
    r"(?<=[\s'\"])--?((?:[a-z0-9]+[-_])*(?:password|passwd|passphrase|secret|credentials?)|token"
    r"|(?:[a-z0-9]+[-_])*(?:api|access|account|auth|bearer|github|gitlab|hf|hub|license|private|secret|session|wandb)[-_]?"
    rf"(?:token|key))(?:=|\s+(?!-)){_VALUE}",
    re.IGNORECASE,
)
# Of HTTP, as `curl -H 'Authorization: Bearer abc'` sends them.
_SCHEME = r"(?:bearer|basic|token)\s"
_HEADER = re.compile(
    r"\b(authorization|(?:x-[a-z-]{1,30}|private)-(?:token|key))\s*:\s*"
    rf"(?:{_SCHEME}\s*)?(?!{_SCHEME})([^\s$'\"{{}}]+)",
    re.IGNORECASE,
)
_END_OF_SHELL_WORD = re.compile("[;&|)]")


def given_values(command: str) -> list[tuple[str, str]]:
    """Returns the names of variables, options and headers with the values that the command gives them.

    A value that a shell would end earlier, as in `--token abc;`, is there in both forms.
    """
    found = []
    for name, text in _names_and_texts(command):
        value = text.strip("'\"")
        shorter = _END_OF_SHELL_WORD.split(value)[0] if value == text else value
        found += [(name, form) for form in dict.fromkeys((value, shorter))]
    return found


def without_given_values(command: str) -> str:
    """Returns the rest of the command."""
    return _HEADER.sub("", _OPTION.sub("", _ASSIGNMENT.sub("", command)))


def _names_and_texts(command: str) -> Iterator[tuple[str, str]]:
    for part in (_ASSIGNMENT, _OPTION):
        for match in part.finditer(command):
            yield match[1], match[2]
    for match in _HEADER.finditer(command):
        yield f"{match[1]} key", match[2]  # whatever the header is called, its value is secret
