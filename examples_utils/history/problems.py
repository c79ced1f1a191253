"""Errors of a history. Without SQLAlchemy, so that they can be reported where it is not installed."""

from __future__ import annotations

from examples_utils.problems import RequestError


class HistoryError(RequestError):
    """The history cannot be used as requested, and is unchanged. The message gives the reason and the remedy."""


class UnreachableError(HistoryError):
    """The server does not answer now, or a lock was held for too long: it may work later."""
