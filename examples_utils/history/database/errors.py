"""Translates errors of database drivers to messages with a remedy."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, OperationalError

from examples_utils.history.problems import HistoryError, UnreachableError

_SQLITE = {
    "is not a database": "is not a history: not a database of SQLite; name another file",
    "malformed": "is damaged; restore a copy, or create a new one with: history add LOG_DIR…",
    "is locked": "another process kept it locked for too long; try again when that has ended",
    "readonly": "is read-only; make it and its folder writable, or copy it to where you may write",
    "unable to open": "cannot be opened; it and its folder must be readable and writable for this user",
    "is full": "there is no space left on its disk; free some, and run the command again",
    "disk i/o": "its disk or file system fails; keep it on a local disk",
}
_POSTGRESQL = {
    "password authentication failed": "the server refuses user or password",
    "no password supplied": "the server requires a password; give it in the URL or in PGPASSWORD",
    "does not exist": "the server has no such database or user; create it with createdb or createuser",
    "permission denied": "this user may not write there; grant it the rights, or name another database",
    "lock timeout": _SQLITE["is locked"],
    "read-only": "the server accepts no changes at present; name its primary, or try again later",
}
_PASSING = (_SQLITE["is locked"], _POSTGRESQL["read-only"])


def history_error(title: str, error: DBAPIError, is_sqlite: bool) -> HistoryError:
    """Returns a driver's error as one line with the reason and the remedy."""
    text = " ".join(str(error.orig).split())
    known = _SQLITE if is_sqlite else _POSTGRESQL
    if found := next((remedy for words, remedy in known.items() if words in text.lower()), None):
        kind = UnreachableError if found in _PASSING else HistoryError
        return kind(f"{title}: {found} ({text})")
    if not is_sqlite and (error.connection_invalidated or isinstance(error, OperationalError)):
        return UnreachableError(
            f"{title}: the server cannot be reached; start it, or check host and port ({text})"
        )
    return HistoryError(f"{title}: {text}")
