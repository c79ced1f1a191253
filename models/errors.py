"""The exception of this package: a request that no model can meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ModelError(ValueError):
    """A bad request: the message names the option, its value and the remedy."""


def near_names(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """` Did you mean a, b?`, or an empty string if nothing in `known` is close to `name`."""
    found = difflib.get_close_matches(name, sorted(known), n=count, cutoff=0.5)
    return f" Did you mean {', '.join(found)}?" if found else ""
