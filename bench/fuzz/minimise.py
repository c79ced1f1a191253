"""Shortens a failing case by deleting parts of it while it still fails in the same way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.fuzz.case import Case

_PIECES = (re.compile(r"[^\n]*\n|[^\n]+"), re.compile(r"\s+|\w+|[^\w\s]"), re.compile(r".", re.DOTALL))


def minimised(case: Case, fails: Callable[[Case], bool], limit_s: float) -> Case:
    """Deletes lines, then words, then characters, for at most `limit_s` seconds."""
    until = time.monotonic() + limit_s
    text = case.text
    for pattern in _PIECES:
        text = "".join(_reduced(pattern.findall(text), lambda pieces: fails(_of(case, pieces)), until))
    return replace(case, text=text)


def _of(case: Case, pieces: Sequence[str]) -> Case:
    return replace(case, text="".join(pieces))


def _reduced(pieces: Sequence[str], fails: Callable[[Sequence[str]], bool], until: float) -> Sequence[str]:
    """Removes ever smaller runs of pieces (the idea of delta debugging: Zeller and Hildebrandt, 2002)."""
    size = max(1, len(pieces) // 2)
    while True:
        start = 0
        while start < len(pieces):
            if time.monotonic() > until:
                return pieces
            shorter = [*pieces[:start], *pieces[start + size :]]
            if fails(shorter):
                pieces = shorter
            else:
                start += size
        if size == 1:
            return pieces
        size //= 2
