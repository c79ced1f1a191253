"""Digests of what runs share, the identity of machines, and the facts in which two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_SHOWN = 4  # maximum keys of a fingerprint or of settings in a message


def canonical(value: Any) -> str:
    """Returns JSON that is the same for equal values. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str) -> str:
    """Returns 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def machine_key(machine: Mapping[str, Any]) -> str:
    """Returns the same key for machines with comparable metrics: all facts except the host name agree."""
    return digest_of(canonical({name: fact for name, fact in machine.items() if name != "hostname"}))


def differing_facts(
    base: Mapping[str, Any], new: Mapping[str, Any], then: str = "in the base", now: str = "now"
) -> str:
    """Returns the keys, except the host name, on which two fingerprints or settings disagree; empty if none."""
    keys = [
        key for key in dict.fromkeys((*base, *new)) if key != "hostname" and base.get(key) != new.get(key)
    ]
    texts = [
        f"{key} {shown_fact(base.get(key))} {then}, {shown_fact(new.get(key))} {now}" for key in keys[:_SHOWN]
    ]
    if len(keys) > _SHOWN:
        texts.append(f"and {len(keys) - _SHOWN} more")
    return "; ".join(texts)


def shown_fact(value: object) -> str:
    """Returns a fact for a message."""
    return "unknown" if value is None else str(value)
