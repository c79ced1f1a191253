"""Which values of environment variables are secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

_SECRET_NAME = re.compile(r"TOKEN|KEY|PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[\d.,_]{1,7}(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[A-Za-z]+")
_REFERENCES = re.compile(r"(?:\$\w+|\$\{\w+\})+")
_SETTINGS = frozenset(
    {"true", "false", "yes", "none", "null", "auto", "default", "enabled", "disabled", "test", "debug"}
)
# Shorter ones occur by chance in numbers and words, which the redaction would damage.
_SHORTEST = 4


def has_secret_name(name: str) -> bool:
    """Whether the name of a variable, or of a parameter in a URL, announces a secret."""
    return _SECRET_NAME.search(name) is not None


def is_reference(text: str) -> bool:
    """Whether the text only names other variables, as `$MY_TOKEN`."""
    return _REFERENCES.fullmatch(text) is not None


def is_plain(value: str, known_words: Collection[str] = ()) -> bool:
    """Whether the value can be no secret although its variable's name announces one.

    That is: a number of less than eight characters, a setting such as `true`, an existing file or folder, or a word
    of letters that the spec also uses for something else (`known_words`).
    """
    if not value or _NUMBER.fullmatch(value) or value.lower() in _SETTINGS:
        return True
    if _WORD.fullmatch(value):
        return value in known_words
    return value.startswith(("/", "~/", "./")) and _exists(value)


def secret_values(variables: Iterable[tuple[str, str]], known_words: Collection[str] = ()) -> tuple[str, ...]:
    """Returns the values to replace wherever they occur: of four and more characters, the longest first.

    The lines of a value, such as a private key, are each a value: nothing that is replaced contains a line's end.
    """
    found = {
        line.strip()
        for name, value in variables
        if has_secret_name(name) and not is_plain(value, known_words)
        for line in value.splitlines()
    }
    long_enough = (value for value in found if len(value) >= _SHORTEST and not is_plain(value, known_words))
    return tuple(sorted(long_enough, key=lambda value: (-len(value), value)))


def _exists(value: str) -> bool:
    try:
        return Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False
