"""Compile time from the log lines of Poplar and PopART."""

from __future__ import annotations

import pytest

from benchmark_parsers.poplar import CompileTimeParser

LOG = """2023-01-05T10:00:00.000000Z popart:session 1.1 I: Popart version: 3.1.0
2023-01-05 10:00:05.500000Z PL:POPLAR     1.1 I: Begin Poplar graph construction
2023-01-05 10:00:30.000000Z PL:POPLAR     1.1 I: End Poplar graph construction
2023-01-05T10:00:31.000000Z poplar:engine 1.1 I: Starting compilation
2023-01-05T10:01:40.250000Z poplar:engine 1.1 I: Graph compiled
"""


def total_s(*blocks: str) -> float | None:
    parser = CompileTimeParser()
    for block in blocks:
        parser.feed(block)
    return parser.total_s()


def test_the_total_spans_from_the_first_start_to_the_last_end():
    assert total_s(LOG) == 100.25


def test_lines_may_come_in_any_number_of_blocks():
    assert total_s(*LOG.splitlines(keepends=True)) == 100.25


def test_a_prefix_before_the_time_is_no_obstacle():
    assert total_s("".join(f"INFO:train: {line}" for line in LOG.splitlines(keepends=True))) == 100.25


def test_each_instance_of_poprun_counts_separately():
    tagged = "".join(f"[1,0]<stderr>:{line}" for line in LOG.splitlines(keepends=True))
    assert total_s(tagged) == 100.25
    one_mark_each = [line for line in LOG.splitlines(keepends=True) if "version" in line or "Begin" in line]
    assert total_s("[1,0]<stderr>:" + one_mark_each[0], "[1,1]<stderr>:" + one_mark_each[1]) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing here\n",
        "Graph compiled\n",
        LOG.splitlines()[0],
        "2023-99-99 Graph compiled",
        "2023-99-99 10:00:00.000000 Starting compilation\n2023-01-05 10:00:01.000000 Graph compiled",
    ],
)
def test_no_phase_with_both_ends_gives_none(text):
    assert total_s(text) is None


@pytest.mark.parametrize("tag", ["[0] ", "[1,0]<stdout>:", "3: "])
def test_phases_are_found_behind_the_tag_of_a_launcher(tag):
    assert total_s("".join(f"{tag}{line}\n" for line in LOG.splitlines())) == total_s(LOG)
