"""Times as records and other tools write them."""

from __future__ import annotations

from datetime import datetime


def read_time(text: str) -> datetime:
    """A time in ISO 8601, naive if it names no time zone. Raises ValueError for a text that is none."""
    # Python 3.10 does not know the Z of other tools.
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
