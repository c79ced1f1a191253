"""Finds the JSON document in a tool's output, ignoring text before and after it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.line_prefix import LINE_PREFIX, without_colours, without_prefixes

LONGEST_DOCUMENT = 64 << 20
# A mapping with a key, or a list whose first element may be a mapping, where its line begins. Build tools print many
# lines that begin with [ and a count, which are neither.
_OPENING = re.compile(r'\{[ \t]*(?:"|$)|\[[ \t]*(?:\{|$)', re.MULTILINE)
_BEFORE = re.compile(rf"{LINE_PREFIX}[ \t]*")
_LONGEST_PREFIX = 1000
# The file of a second document can follow without a line end.
_NEXT = re.compile(r"[\s\ufeff]*(?=[{\[])")


class JsonDocument:
    """Keeps the output from the first line that could begin a JSON document, up to a size limit.

    A document is the tool's if it is a mapping with `key` for which `is_result` holds, or a list of such mappings.
    """

    def __init__(
        self,
        tool: str,
        key: str,
        expected: Expected,
        is_result: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        self._tool, self._key = tool, key
        self._is_result = is_result or (lambda document: True)
        self._first_seen = FirstSeen(expected)
        self._blocks: list[str] = []
        self._size = 0

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        block = without_colours(block)
        if not self._blocks:
            start = _start(block, 0)
            if start is None:
                return
            block = block[block.rfind("\n", 0, start) + 1 :]
        self._size += len(block)
        if self._size <= LONGEST_DOCUMENT:
            self._blocks.append(block)
        elif len(self._blocks) > 1:
            del self._blocks[1:]

    def only(self) -> tuple[Any, str | None]:
        """Returns the tool's document, or None and the reason: there is none, several, or a damaged one."""
        if self._size > LONGEST_DOCUMENT:
            most = f"{LONGEST_DOCUMENT >> 20} MiB"
            return (
                None,
                f"the JSON of {self._tool}, with all output from its first line on, is longer than {most}",
            )
        text = "".join(self._blocks)
        found = self._find(text)
        # Lines of a valid document can look like tags, so they are removed only if it cannot be read with them.
        if not found.documents and (plain := without_prefixes(text)) != text:
            untagged = self._find(plain)
            found = untagged if untagged.documents or untagged.damage else found
        if found.damage:
            return None, f"the JSON of {self._tool} is truncated or invalid: {found.damage}"
        if len(found.documents) > 1:
            count = len(found.documents)
            return None, f"contains {count} JSON documents of {self._tool}: print one per entry of the spec"
        return (found.documents[0], None) if found.documents else (None, self._first_seen.problem())

    def _find(self, text: str) -> _Found:
        """Decodes each document; after invalid text, goes on from the line of the error."""
        found = _Found()
        decoder = json.JSONDecoder()
        start = _start(text, 0)
        while start is not None:
            try:
                document, end = decoder.raw_decode(text, start)
            except RecursionError:
                found.damage = "it is nested too deeply"
                return found
            except ValueError as error:
                failed_at = getattr(error, "pos", len(text))
                if f'"{self._key}"' in text[start:failed_at]:
                    found.damage = found.damage or str(error)
                start = _start(text, max(start + 1, text.rfind("\n", 0, failed_at) + 1))
            else:
                if self._is_of_the_tool(document):
                    found.documents.append(document)
                following = _NEXT.match(text, end)
                start = following.end() if following else _start(text, end)
        return found

    def _is_of_the_tool(self, document: Any) -> bool:
        candidates = document if isinstance(document, list) else [document]
        return any(
            isinstance(candidate, dict) and self._key in candidate and self._is_result(candidate)
            for candidate in candidates
        )


@dataclass
class _Found:
    """The tool's documents, and the error of a document that holds the tool's key and cannot be read."""

    documents: list[Any] = field(default_factory=list)
    damage: str | None = None


def _start(text: str, position: int) -> int | None:
    """Returns where the next document may start: after nothing but a prefix on its line."""
    for opening in _OPENING.finditer(text, position):
        earliest = max(0, opening.start() - _LONGEST_PREFIX)
        line_start = text.rfind("\n", earliest, opening.start()) + 1
        if (line_start or not earliest) and _BEFORE.fullmatch(text, line_start, opening.start()):
            return opening.start()
    return None


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
