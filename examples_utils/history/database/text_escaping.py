"""Escapes text for databases: PostgreSQL's cannot hold NUL, and UTF-8 cannot hold surrogates."""

from __future__ import annotations

import re

_TO_ESCAPE = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|(\\))")


def encode(text: str) -> str:
    """Escapes backslashes, NUL and surrogates; all other text stays unchanged."""
    return _TO_ESCAPE.sub(lambda match: "\\\\" if match[0] == "\\" else f"\\u{ord(match[0]):04x}", text)


def decode(text: str) -> str:
    """The inverse of `encode`."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: match[2] or chr(int(match[1], 16)), text)
