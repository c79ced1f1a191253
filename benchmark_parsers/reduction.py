"""Reduces all numbers that a metric's regex matched to one, in bounded memory."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmark_parsers.cut_numbers import SEPARATORS

_SEPARATED_DIGITS = re.compile(rf"\d[{SEPARATORS}]\d")
REDUCTIONS = ("mean", "final", "min", "value")


@dataclass(frozen=True)
class Reduced:
    """A metric's value, or None and the reason. `matches` counts the matches of the regex."""

    value: float | None
    matches: int
    reason: str | None = None


class Reduction(Protocol):
    """Accepts matched texts in the order in which they were printed."""

    def add(self, texts: Sequence[str]) -> None:
        """Adds matches; they need not be numbers."""

    def result(self) -> Reduced:
        """Returns the reduced value of all matches so far."""


def make_reduction(reduction_type: str, skip: int = 0, drop_largest: bool = False) -> Reduction:
    """Returns the reduction of that name; `skip` and `drop_largest` apply to `mean` only."""
    if reduction_type == "mean":
        return _Mean(skip, drop_largest)
    if reduction_type == "min":
        return _Minimum()
    if reduction_type in ("final", "value"):
        return _OneMatch(keep_last=reduction_type == "final")
    raise ValueError(f"reduction_type {reduction_type!r}: expected one of {', '.join(REDUCTIONS)}")


class _Mean:
    """The mean without the `skip` smallest (or largest) values.

    A heap holds the `skip` values to drop; a value that a more extreme one pushes out is added to the sum. So
    nothing is ever subtracted from the sum, and memory does not grow with the number of matches.
    """

    def __init__(self, skip: int, drop_largest: bool) -> None:
        self._skip = skip
        self._sign = -1.0 if drop_largest else 1.0
        self._dropped: list[float] = []
        self._sum = 0.0
        self._matches = 0
        self._bad_text: str | None = None

    def add(self, texts: Sequence[str]) -> None:
        self._matches += len(texts)
        if self._bad_text is not None or not texts:
            return
        try:
            # In one pass, as there may be millions: a sum is finite only if all its terms are.
            total = math.nan if _any_underscore(texts) else math.fsum(self._kept(map(float, texts)))
        except (ValueError, OverflowError):
            total = math.nan
        if not math.isfinite(total):
            self._bad_text = next((text for text in texts if not _is_finite_number(text)), None)
        self._sum += total

    def result(self) -> Reduced:
        if self._bad_text is not None:
            return _not_a_number(self._bad_text, self._matches)
        if not self._matches:
            return _nothing_found()
        kept = self._matches - self._skip
        if kept <= 0:
            return Reduced(None, self._matches, f"only {self._matches} matches, and skip drops {self._skip}")
        if not math.isfinite(self._sum):
            return Reduced(None, self._matches, "the sum of its values is too large for a number")
        return Reduced(self._sum / kept, self._matches)

    def _kept(self, values: Iterator[float]) -> Iterator[float]:
        """Yields the values that count so far: all but those in the heap."""
        if not self._skip:
            return values
        return (kept for value in values if (kept := self._push(value)) is not None)

    def _push(self, value: float) -> float | None:
        """Adds one value; returns the value that now counts, if any."""
        if not math.isfinite(value):
            raise ValueError(value)
        # heapq keeps the smallest on top, so the values to drop (the smallest) are stored negated.
        entry = -value * self._sign
        if len(self._dropped) < self._skip:
            heapq.heappush(self._dropped, entry)
            return None
        return -heapq.heappushpop(self._dropped, entry) * self._sign


class _Minimum:
    def __init__(self) -> None:
        self._minimum = math.inf
        self._matches = 0
        self._bad_text: str | None = None

    def add(self, texts: Sequence[str]) -> None:
        self._matches += len(texts)
        if self._bad_text is not None or not texts:
            return
        values, self._bad_text = _numbers(texts)
        self._minimum = min(self._minimum, *values) if values else self._minimum

    def result(self) -> Reduced:
        if self._bad_text is not None:
            return _not_a_number(self._bad_text, self._matches)
        if not self._matches:
            return _nothing_found()
        return Reduced(self._minimum, self._matches)


class _OneMatch:
    """The last or the first match; the others need not be numbers."""

    def __init__(self, keep_last: bool) -> None:
        self._keep_last = keep_last
        self._text: str | None = None
        self._matches = 0

    def add(self, texts: Sequence[str]) -> None:
        self._matches += len(texts)
        if texts and (self._keep_last or self._text is None):
            self._text = texts[-1] if self._keep_last else texts[0]

    def result(self) -> Reduced:
        if self._text is None:
            return _nothing_found()
        values, bad_text = _numbers([self._text])
        return (
            _not_a_number(bad_text, self._matches)
            if bad_text is not None
            else Reduced(values[0], self._matches)
        )


def _numbers(texts: Sequence[str]) -> tuple[list[float], str | None]:
    """Returns the numbers, and the first text that is not a finite number (then the numbers are incomplete)."""
    try:
        values = [math.nan] if _any_underscore(texts) else list(map(float, texts))
    except ValueError:
        return [], next(text for text in texts if not _is_finite_number(text))
    # The sum of finite numbers may overflow, so it only shows where to look closer.
    if not math.isfinite(sum(values)) and (bad := [t for t in texts if not _is_finite_number(t)]):
        return [], bad[0]
    return values, None


def _any_underscore(texts: Sequence[str]) -> bool:
    """Python takes 1_234 for a number; a program that prints it means text, or part of one."""
    return "_" in "".join(texts)


def _is_finite_number(text: str) -> bool:
    try:
        return "_" not in text and math.isfinite(float(text))
    except ValueError:
        return False


def _nothing_found() -> Reduced:
    return Reduced(None, 0, "its regexp matched nothing")


def _not_a_number(text: str, matches: int) -> Reduced:
    shown = text if len(text) <= 40 else text[:40] + "…"
    if _SEPARATED_DIGITS.search(text):
        remedy = (
            "which has a separator between its digits: print the number without it (or, if it ends the number, "
            "name it in the regexp after the group)"
        )
        return Reduced(None, matches, f"its regexp matched {shown!r}, {remedy}")
    return Reduced(None, matches, f"its regexp matched {shown!r}, which is not a finite number")
