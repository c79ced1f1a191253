"""The table of docs/drop_in.md: every row is held by tests that exist, and names options that exist."""

from __future__ import annotations

import re
from functools import cache

import pytest

from examples_utils.cli.arguments.parser import make_parser
from tests.examples_utils.conftest import Workplace
from tests.pages import ROOT

TITLE = "## What is the same, what differs, and why\n"
HEADER = ["behaviour", "here", "why it differs", "the old form", "tests"]
SAME, OTHER_PROGRAMS = "same", {"--host", "--np"}


def table() -> list[list[str]]:
    """The rows of the table, the header first, without the rule."""
    section = (ROOT / "docs/drop_in.md").read_text().partition(TITLE)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [row for row in rows if set("".join(row)) - set("- ")]


@cache
def names_of_tests() -> frozenset[str]:
    sources = (file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(
        name for source in sources for name in re.findall(r"^ *def (test_\w+)\(", source, re.MULTILINE)
    )


ROWS = table()[1:]


def test_the_table_has_its_columns() -> None:
    assert table()[0] == HEADER
    assert {len(row) for row in ROWS} == {len(HEADER)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_tests_that_exist(row: list[str]) -> None:
    named = re.findall(r"`(test_\w+)`", row[-1])
    assert named
    assert set(named) - names_of_tests() == set()


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_that_differs_describes_how_and_one_that_does_not_needs_no_old_form(row: list[str]) -> None:
    _, here, why, old_form, _ = row
    assert here
    if here == SAME:
        assert (why, old_form) == ("", "")


def test_every_option_in_the_table_exists() -> None:
    commands = make_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr,index]
    known = {word for action in commands["benchmark"]._actions for word in action.option_strings}
    named = {word for row in ROWS for cell in row[:-1] for word in re.findall(r"(?<![\w-])--[\w-]+", cell)}
    assert named - known - OTHER_PROGRAMS == set()


def test_a_failure_is_exit_code_1(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: 'false'}\nb: {cmd: 'true'}\n")
    assert workplace.benchmark().exitcode == 1


def test_the_stdin_of_a_command_is_empty(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: wc -c}\n")
    done = workplace.benchmark()
    assert (done.log / "a/stdout.log").read_text().strip() == "0"
