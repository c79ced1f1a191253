"""Whether metrics that were measured with two sets of settings are comparable, and in what the settings differ."""

from __future__ import annotations

import re
from collections.abc import Mapping

from examples_utils.history.fingerprint import differing_facts

Settings = Mapping[str, str]

IDENTITIES = {
    "image_files": "images",
    "image_labels": "labels",
    "generated_data": "generated data",
    "weights_digest": "weights",
    "exported_model": "exported model",
}
"""Settings that identify the input and the model, which older records lack, and what to call them."""

MODEL_CACHE = "model_cache"
OF_THE_START = ("build_time", "compile_time", "peak_memory_process")
"""Metrics that depend on whether the model was in the cache; no other metric does."""

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{8})[0-9a-f]{24,}")


def comparable(one: Settings, other: Settings, metric: str = "") -> bool:
    """Whether all settings agree that `metric` depends on: the state of the model cache counts for its start alone.

    An identity or a state of the cache that only one of them has is unknown in the other, and does not count.
    """
    if one == other:
        return True
    keys = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    unknown = (IDENTITIES.keys() | {MODEL_CACHE}) - (one.keys() & other.keys())
    return keys <= unknown | (set() if metric in OF_THE_START else {MODEL_CACHE})


def differing_settings(base: Settings, new: Settings, then: str = "in the base", now: str = "now") -> str:
    """Returns in what the settings differ, other inputs first; empty if they are comparable."""
    others = [
        f"other {name}: {shown_digest(base[key])} {then}, {shown_digest(new[key])} {now}"
        for key, name in IDENTITIES.items()
        if key in base and key in new and base[key] != new[key]
    ]
    rest = differing_facts(_others(base), _others(new), then, now)
    return "; ".join([*others, *([rest] if rest else [])])


def unknown_identities(base: Settings, new: Settings) -> str:
    """Returns which identities one side lacks; empty if none. Settings that are unknown as a whole lack none."""
    if not base or not new:
        return ""
    lacking = {
        where: [name for key, name in IDENTITIES.items() if key in other and key not in one]
        for where, one, other in (("in the base", base, new), ("now", new, base))
    }
    return "; ".join(f"{', '.join(names)} unknown {where}" for where, names in lacking.items() if names)


def shown_digest(text: str) -> str:
    """Returns the text with its digests shortened: `20 (ab12cd34…)`."""
    return _DIGEST.sub(r"\1…", text)


def _others(settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key not in IDENTITIES and key != MODEL_CACHE}
