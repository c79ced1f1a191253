"""What must stand in no message and in no log."""

from __future__ import annotations

import re

_OF_USER = re.compile(r"(://[^:/@]*:).*@")
_IN_QUERY = re.compile(r"((?:ssl)?password=)[^&]*")


def without_password(url: str) -> str:
    """A database's URL, also one that cannot be read, with ``***`` in place of its passwords.

    Up to the last @, as a password that is not quoted may hold some.
    """
    return _IN_QUERY.sub(r"\1***", _OF_USER.sub(r"\1***@", url))
