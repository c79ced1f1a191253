"""The JSON document in a tool's output, with whatever was printed before and after it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_DOCUMENT = 64 << 20
# So many lines may look like the start of the document without being it, beyond their first characters.
_MOST_ATTEMPTS = 100
_FIRST_CHARACTERS = 16
# A mapping with a key, or a list whose first element may be one. Build tools print any number of lines that begin with
# [ and a count, which are neither.
_START = re.compile(r'^(?:\{[ \t]*(?:"|$)|\[[ \t]*(?:\{|$))', re.MULTILINE)


class JsonDocument:
    """Keeps an output from the first line on that could begin a JSON document, up to a bound."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._size = 0

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if not self._blocks:
            start = _START.search(block)
            if not start:
                return
            block = block[start.start() :]
        self._size += len(block)
        if self._size <= LONGEST_DOCUMENT:
            self._blocks.append(block)
        elif len(self._blocks) > 1:
            del self._blocks[1:]

    def with_key(self, key: str, tool: str) -> tuple[Any, str | None]:
        """The first document that has this key (or is a list whose first element has), or None and the reason."""
        if self._size > LONGEST_DOCUMENT:
            most = f"{LONGEST_DOCUMENT >> 20} MiB"
            return (
                None,
                f"the JSON of {tool}, with all that is printed from its first line on, is longer than {most}",
            )
        if not self._blocks:
            return None, f"holds no JSON of {tool}"
        reason = f"holds JSON, but none of {tool} (no {key!r})"
        furthest = -1
        for found, problem, length in self._documents():
            if problem and length > furthest:
                furthest = length
                reason = f"the JSON of {tool} is cut off or wrong: {problem}"
            first = found[0] if isinstance(found, list) and found else found
            if isinstance(first, dict) and key in first:
                return found, None
        return None, reason

    def _documents(self) -> Iterator[tuple[Any, str | None, int]]:
        """Each document, or what is wrong with it and how many of its characters were good."""
        text = "".join(self._blocks)
        decoder = json.JSONDecoder()
        position = failures = 0
        while failures < _MOST_ATTEMPTS and (start := _START.search(text, position)):
            try:
                document, position = decoder.raw_decode(text, start.start())
            except (ValueError, RecursionError) as error:
                nested = isinstance(error, RecursionError)
                length = getattr(error, "pos", len(text)) - start.start()
                yield None, "it is nested too deeply" if nested else str(error), length
                position = start.end()
                # Only what was read in vain costs time: any number of JSON lines of a log may come first.
                failures += length > _FIRST_CHARACTERS
            else:
                yield document, None, position - start.start()


def number(mapping: Mapping[str, Any], key: str) -> float | None:
    """The finite number under this key, or None."""
    value = mapping.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def numbers(value: Any) -> list[float]:
    """The finite numbers of a list; empty if it is none or holds anything else."""
    if not isinstance(value, list):
        return []
    found = [number({"": item}, "") for item in value]
    return [figure for figure in found if figure is not None] if None not in found else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The mappings of a list; empty if it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
