"""Removes secrets from messages and logs."""

from __future__ import annotations

import re

_OF_USER = re.compile(r"(://[^:/@]*:).*@")
_IN_QUERY = re.compile(r"((?:ssl)?password=)[^&]*")


def without_password(url: str) -> str:
    """Returns a database's URL, even an unparsable one, with `***` in place of its passwords.

    Up to the last @, as an unquoted password may contain one.
    """
    return _IN_QUERY.sub(r"\1***", _OF_USER.sub(r"\1***@", url))
