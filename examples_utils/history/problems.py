"""What is wrong with a history. Without SQLAlchemy, so that this can be told where it is not installed."""

from __future__ import annotations

from examples_utils.problems import RequestError


class HistoryError(RequestError):
    """The history cannot be used as asked; nothing of it was changed. The text says why and what to do."""


class UnreachableError(HistoryError):
    """The server does not answer now, or a lock was held for too long: later it may well work."""
