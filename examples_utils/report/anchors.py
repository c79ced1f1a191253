"""Anchors that stay the same from report to report, so that links to a benchmark stay valid."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from examples_utils.run_model import VariantKey

# The page's own fragments begin with a hyphen.
_PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_NOT_PLAIN = re.compile(r"^-|[^A-Za-z0-9_.-]+")


def anchors(variants: Iterable[VariantKey]) -> dict[tuple[str, ...], str]:
    """Returns the fragment of each benchmark (suite, name), and of each variant: `benchmark/what the variant adds`.

    With several suites, the suite precedes it. A name that is not a valid fragment gets a digest as its suffix,
    so that no two names share a fragment.
    """
    keys = list(variants)
    several = len({key.suite for key in keys}) > 1
    found: dict[tuple[str, ...], str] = {}
    taken: dict[str, tuple[str, ...]] = {}
    for key in keys:
        benchmark = f"{_word(key.suite)}/{_word(key.benchmark)}" if several else _word(key.benchmark)
        added = key.variant.removeprefix(f"{key.benchmark}_")
        for name, anchor in ((key[:2], benchmark), (key, f"{benchmark}/{_word(added)}")):
            free = taken.setdefault(anchor, name) == name
            found[name] = anchor if free else f"{anchor}-{_digest(str(name))}"
    return found


def _word(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else f"{_NOT_PLAIN.sub('_', name)[:80] or '_'}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
