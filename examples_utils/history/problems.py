"""What is wrong with a history, said with its remedy."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from examples_utils.problems import RequestError


class HistoryError(RequestError):
    """The history cannot be used as asked; nothing of it was changed. The text says why and what to do."""


_SQLITE = {
    "is not a database": "is no history: not a database of SQLite; name another file",
    "malformed": "is damaged; restore a copy, or make a new one with: history add LOG_DIR…",
    "is locked": "another process has kept it locked for too long; try again when that has ended",
    "readonly": "is read-only; make it and its folder writable, or copy it to where you may write",
    "unable to open": "cannot be opened; it and its folder must be readable and writable for this user",
    "is full": "there is no space left on its disk; make some, and run the command again",
    "disk i/o": "its disk or file system fails; keep it on a local disk",
}
_POSTGRESQL = {
    "password authentication failed": "the server refuses user or password",
    "no password supplied": "the server wants a password; give it in the URL or in PGPASSWORD",
    "does not exist": "the server has no such database or user; make it with createdb or createuser",
    "permission denied": "this user may not write there; grant it the rights, or name another database",
    "read-only": "the server takes no changes at present; name its primary, or try again later",
}


def said_of(error: DBAPIError, is_sqlite: bool) -> str:
    """One line on why a database failed, and what to do."""
    text = " ".join(str(error.orig).split())
    known = _SQLITE if is_sqlite else _POSTGRESQL
    found = next((remedy for words, remedy in known.items() if words in text.lower()), None)
    if (found is None and not is_sqlite and error.connection_invalidated) or "connect" in text.lower():
        found = "the server cannot be reached; start it, or check host and port"
    return f"{found} ({text})" if found else text
