"""Times as records and other tools write them."""

from __future__ import annotations

from datetime import datetime


def read_time(text: str) -> datetime:
    """Reads a time in ISO 8601; naive if it has no time zone. Raises ValueError for an invalid time."""
    # Python 3.10 does not accept the Z that other tools write.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
