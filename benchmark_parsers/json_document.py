"""Finds the JSON document in a tool's output, ignoring text before and after it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_DOCUMENT = 64 << 20
# Maximum number of lines that look like the start of the document but are not.
_MAX_ATTEMPTS = 100
_FIRST_CHARACTERS = 16
# A mapping with a key, or a list whose first element may be a mapping. Build tools print many lines that begin with
# [ and a count, which are neither.
_START = re.compile(r'^(?:\{[ \t]*(?:"|$)|\[[ \t]*(?:\{|$))', re.MULTILINE)


class JsonDocument:
    """Keeps the output from the first line that could begin a JSON document, up to a size limit."""

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
        """Returns the first document (or list whose first element) has this key, or None and the reason."""
        if self._size > LONGEST_DOCUMENT:
            most = f"{LONGEST_DOCUMENT >> 20} MiB"
            return (
                None,
                f"the JSON of {tool}, with all output from its first line on, is longer than {most}",
            )
        if not self._blocks:
            return None, f"contains no JSON of {tool}"
        reason = f"contains JSON, but not of {tool} (no {key!r})"
        furthest = -1
        for found, problem, length in self._documents():
            if problem and length > furthest:
                furthest = length
                reason = f"the JSON of {tool} is truncated or invalid: {problem}"
            first = found[0] if isinstance(found, list) and found else found
            if isinstance(first, dict) and key in first:
                return found, None
        return None, reason

    def _documents(self) -> Iterator[tuple[Any, str | None, int]]:
        """Yields each document, or its error and how many of its characters were valid."""
        text = "".join(self._blocks)
        decoder = json.JSONDecoder()
        position = failures = 0
        while failures < _MAX_ATTEMPTS and (start := _START.search(text, position)):
            try:
                document, position = decoder.raw_decode(text, start.start())
            except (ValueError, RecursionError) as error:
                nested = isinstance(error, RecursionError)
                length = getattr(error, "pos", len(text)) - start.start()
                yield None, "it is nested too deeply" if nested else str(error), length
                position = start.end()
                # Only failed attempts cost time: any number of JSON log lines may come first.
                failures += length > _FIRST_CHARACTERS
            else:
                yield document, None, position - start.start()


def number(mapping: Mapping[str, Any], key: str) -> float | None:
    """Returns the finite number under this key, or None."""
    value = mapping.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def numbers(value: Any) -> list[float]:
    """Returns the finite numbers of a list; empty if it is not a list or contains anything else."""
    if not isinstance(value, list):
        return []
    found = [number({"": item}, "") for item in value]
    return [value for value in found if value is not None] if None not in found else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """Returns the mappings of a list; empty if it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
