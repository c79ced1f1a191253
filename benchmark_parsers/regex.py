"""Applies the regexes of a spec's `data` to every line of an output of any length."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from benchmark_parsers.cut_numbers import cuts_of, whole_number
from benchmark_parsers.line_pattern import line_pattern
from benchmark_parsers.pattern_facts import final_literal, required_literal
from benchmark_parsers.reduction import Reduced, make_reduction

_LONG_LINE = 2048


@dataclass(frozen=True)
class MetricSpec:
    """One metric of an entry's `data`: where its values are found and how they are reduced to one.

    `unit` and `direction` are those that the entry gives, if any.
    """

    name: str
    regexp: str
    skip: int = 0
    reduction_type: str = "mean"
    unit: str | None = None
    direction: str | None = None


class RegexParser:
    """Feed it an output's blocks of lines in order (stdout, then stderr); then ask for the results.

    Every match of the first group in every line counts. `skip` sorts in ascending order, so that it drops the slowest
    values, those of the warm-up; a metric called `latency` is sorted in descending order for the same reason.
    """

    def __init__(self, metrics: Sequence[MetricSpec]) -> None:
        self._metrics = [
            (
                _Finder(metric.regexp),
                make_reduction(metric.reduction_type, metric.skip, metric.name == "latency"),
            )
            for metric in metrics
        ]
        self._specs = tuple(metrics)

    def feed(self, block: str) -> None:
        """Reads whole lines, each ending with a newline (except possibly the last)."""
        for finder, reduction in self._metrics:
            if texts := finder.first_groups(block):
                reduction.add(texts)

    def results(self, instances: int = 1) -> dict[str, tuple[str, Reduced]]:
        """Maps metric name to the name of its reduction and its value, in the order of the spec.

        `throughput` is the output of one of `instances` equal processes, so it is multiplied by their number.
        """
        results = {}
        for metric, (_, reduction) in zip(self._specs, self._metrics, strict=True):
            reduced = reduction.result()
            if metric.name == "throughput" and reduced.value is not None:
                reduced = replace(reduced, value=min(reduced.value * instances, sys.float_info.max))
            results[metric.name] = (metric.reduction_type, reduced)
        return results


class _Finder:
    """Finds all first groups of one regex in a block of lines, as if each line were searched alone.

    Without a group, the whole match counts. Three properties of the pattern save time: a text that every match contains
    (blocks and lines without it are skipped), a form that matches no line end (then the block is searched at once), and
    a text with which every match ends: a long line is searched up to the last of it, as `rate: (.*?) items` would look
    for it from each `rate: ` to the end of the line.
    """

    def __init__(self, regexp: str) -> None:
        self._pattern = re.compile(regexp)
        self._literal = required_literal(regexp)
        self._block_pattern = line_pattern(regexp)
        self._end = final_literal(regexp)
        self._cuts = cuts_of(regexp)

    def first_groups(self, block: str) -> list[str]:
        if self._literal and self._literal not in block:
            return []
        if self._end and _has_long_line(block):
            return [
                text
                for line in self._candidate_lines(block)
                for text in self._groups(self._pattern, line[: line.rfind(self._end) + len(self._end)])
            ]
        if self._block_pattern is None:
            lines = self._candidate_lines(block)
            return [text for line in lines for text in self._groups(self._pattern, line)]
        return self._groups(self._block_pattern, block)

    def _groups(self, pattern: re.Pattern[str], text: str) -> list[str]:
        found = (
            pattern.findall(text)
            if pattern.groups <= 1
            else [match.group(1) or "" for match in pattern.finditer(text)]
        )
        if found and self._cuts.may_be_in(text):
            group = min(pattern.groups, 1)
            return [whole_number(match, group, self._cuts) for match in pattern.finditer(text)]
        return found

    def _candidate_lines(self, block: str) -> Iterator[str]:
        if self._literal is None:
            yield from block.split("\n")
            return
        found = block.find(self._literal)
        while found >= 0:
            start = block.rfind("\n", 0, found) + 1
            end = block.find("\n", found)
            end = len(block) if end < 0 else end
            yield block[start:end]
            found = block.find(self._literal, end)


@lru_cache(maxsize=1)  # for all metrics of a block
def _has_long_line(block: str) -> bool:
    start = 0
    while start + _LONG_LINE < len(block):
        end = block.rfind("\n", start, start + _LONG_LINE)
        if end < 0:
            return True
        start = end + 1
    return False
