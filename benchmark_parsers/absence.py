"""The message of a parser that found no result: what it looked for, and what it saw instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_SHOWN = 60
# Text in UTF-16 that follows other text in one output was not recognised as such.
_UTF16 = "\x00"


@dataclass(frozen=True)
class Expected:
    """What a parser looks for.

    `result` completes "contains no …". `looked_for` describes the text, `tested_with` the versions whose output is
    known to be read. `mistakes` maps a text that shows what was printed instead to the remedy.
    """

    result: str
    looked_for: str
    tested_with: str
    mistakes: Mapping[str, str] = field(default_factory=dict)


class FirstSeen:
    """Feed it the output; it keeps its first characters, and which mistakes were seen."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self._start = ""
        self._remedies: dict[str, None] = {}

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if len(self._start) <= _SHOWN:
            self._start = (self._start + block[: 4 * _SHOWN]).lstrip()
        for mark, remedy in self._expected.mistakes.items():
            if mark in block:
                self._remedies[remedy] = None
        if _UTF16 in block:
            self._remedies["it holds text in UTF-16 after other text: convert it with iconv -f UTF-16"] = None

    def problem(self) -> str:
        """Returns the message."""
        expected = self._expected
        shown = repr(self._start[:_SHOWN]) + ("…" if len(self._start) > _SHOWN else "")
        remedies = "".join(f"; {remedy}" for remedy in self._remedies)
        return (
            f"contains no {expected.result}: looked for {expected.looked_for}; saw "
            f"{shown if self._start else 'no output'}{remedies}; tested with {expected.tested_with}"
        )
