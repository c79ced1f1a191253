"""Digests of what runs share, and the identity of machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """Returns JSON that is the same for equal values. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str) -> str:
    """Returns 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def machine_key(machine: Mapping[str, Any]) -> str:
    """Returns the same key for machines with comparable metrics: all facts except the host name agree."""
    return digest_of(canonical({name: fact for name, fact in machine.items() if name != "hostname"}))
