"""Errors in a request or a spec, each with its place and its remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_SHOWN = 12  # known words listed in a message


@dataclass(frozen=True, order=True)
class Place:
    """A place in a file; line and column count from 1."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One fault of a spec. A warning does not stop a run."""

    place: Place
    key: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "warning" if self.is_warning else "error"
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {kind}: {key}{self.message}"


class RequestError(Exception):
    """The request itself is wrong (exit code 2): nothing has run. The message names the remedy."""


class SpecError(RequestError):
    """A spec has errors; `problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Returns a remedy that names the nearest of the known words, else all of them, or the first of very many."""
    if near := nearest(word, known):
        return near
    if len(known) > _SHOWN:
        return f"known: {', '.join(known[:_SHOWN])}, ... ({len(known)} in all)"
    return f"known: {', '.join(known)}" if known else ""


def nearest(word: str, known: Sequence[str]) -> str:
    """Returns a question that names the nearest of the known words; empty if none is near."""
    near = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""
