"""Compile time of an IPU program, from the timestamps of Poplar's and PopART's log lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.units import S

_TIME_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{1,6}")
_INSTANCE = re.compile(r"\s*(?:\[[^]]*\](?:<std(?:err|out)>)?:?|\d+:)")  # the tag of poprun, mpirun or srun

# Start and end marks of the phases of a compilation, as Poplar, PopART and TensorFlow print them (the last one with
# TF_CPP_VMODULE=poplar_compiler=1).
_PHASES = (
    (("Poplar version:", "Popart version:"), ("Begin Poplar graph construction", "Poplar graph initialised")),
    (
        ("Begin Poplar graph construction", "Poplar graph initialised"),
        ("End Poplar graph construction", "Starting compilation"),
    ),
    (
        ("Begin compiling Poplar engine", "Starting compilation"),
        ("End compiling Poplar engine", "Graph compiled"),
    ),
)
_MARKS = re.compile(
    "|".join(re.escape(mark) for mark in sorted({m for p in _PHASES for ms in p for m in ms}))
)

# Each mark begins with one of these letters and contains one of these parts. Looking for them first is much
# faster than the regex, and a single letter is found ten times faster than a part.
_FIRST_LETTERS = "BEGPS"
_PARTS_OF_MARKS = ("Pop", "compil")


class CompileTimeParser:
    """Feed it blocks of lines; `total_s` is the time from the start of the first phase to the end of the last.

    Under poprun, several instances write to one stream, each line after its tag; a phase counts only
    where the same instance printed its start and its end.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[datetime, datetime]] = {}

    def feed(self, block: str) -> None:
        """Reads whole lines of stdout or stderr, in either order."""
        if not (_contains_one(_FIRST_LETTERS, block) and _contains_one(_PARTS_OF_MARKS, block)):
            return
        for mark in _MARKS.finditer(block):
            start = block.rfind("\n", 0, mark.start()) + 1
            stamp = _TIME_STAMP.search(block, start, mark.start())
            if stamp and (time := _time(stamp[0])):
                instance = _INSTANCE.match(block, start, stamp.start())
                self._note(instance[0] if instance else "", mark[0], time)

    def total_s(self) -> float | None:
        """Returns seconds, or None if no phase has both a start and an end."""
        spans = [
            span
            for instance in {instance for instance, _ in self._seen}
            for starts, ends in _PHASES
            if (span := self._span(instance, starts, ends))
        ]
        if not spans:
            return None
        return (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()

    def _note(self, instance: str, mark: str, time: datetime) -> None:
        earliest, latest = self._seen.get((instance, mark), (time, time))
        self._seen[instance, mark] = (min(earliest, time), max(latest, time))

    def _span(
        self, instance: str, starts: tuple[str, ...], ends: tuple[str, ...]
    ) -> tuple[datetime, datetime] | None:
        begun = [self._seen[instance, mark][0] for mark in starts if (instance, mark) in self._seen]
        ended = [self._seen[instance, mark][1] for mark in ends if (instance, mark) in self._seen]
        return (min(begun), max(ended)) if begun and ended else None


def _time(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp.ljust(26, "0"))
    except ValueError:  # such as a 13th month
        return None


def _contains_one(parts: Iterable[str], text: str) -> bool:
    return any(part in text for part in parts)


_EXPECTED = Expected(
    result="complete phase of a compilation (set POPLAR_LOG_LEVEL=INFO)",
    looked_for="time-stamped lines such as `… Starting compilation` and `… Graph compiled`",
    tested_with="log lines of Poplar and PopART 3",
)


class PoplarParser:
    """Reports `total_compiling_time` as a metric of the entry: without it, the run fails."""

    def __init__(self) -> None:
        self._first_seen = FirstSeen(_EXPECTED)
        self._compile_time = CompileTimeParser()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        self._compile_time.feed(block)

    def parsed(self) -> Parsed:
        """Returns the seconds from the start of the first phase to the end of the last."""
        seconds = self._compile_time.total_s()
        if seconds is None:
            return Parsed(problems=(self._first_seen.problem(),))
        return Parsed({"total_compiling_time": Metric(seconds, S, LOWER, "mean")})
