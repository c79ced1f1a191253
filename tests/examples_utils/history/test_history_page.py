"""The examples and tables of the history's page are what the program does."""

from __future__ import annotations

import json
import platform
import re
import shlex
import shutil
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from examples_utils.cli.arguments.parser import make_parser
from examples_utils.history.database.tables import VERSION_TABLE, metadata
from examples_utils.history.store import open_history
from tests.benchmark_parsers.test_result_check import ORIGINAL
from tests.examples_utils.history.runs import night
from tests.pages import SPECS, blocks

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/history.md").read_text()


@pytest.mark.slow
def test_the_commands_of_the_page_work(workplace, monkeypatch):
    monkeypatch.delenv("EXAMPLES_UTILS_HISTORY", raising=False)
    monkeypatch.setattr(platform, "node", lambda: "node7")
    workplace.spec(next(spec for spec in SPECS if spec.startswith("count_words")))
    for name in ("README.md", "CONTRIBUTING.md"):
        (workplace.folder / name).write_text("two words\n")
    for day in ("tuesday", "wednesday"):
        assert workplace.command("benchmark", "--log-dir", f"logs/{day}").exitcode == 0
    (workplace.folder / "original").mkdir()
    (workplace.folder / "original/benchmark_results.json").write_text(json.dumps({"b": [ORIGINAL]}))
    shutil.copy(ROOT / "tests/benchmark_parsers/samples/hyperfine.json", "times.json")
    commands = [line.removeprefix("$ ") for block in blocks(PAGE, "console") for line in block.splitlines()]
    assert len(commands) == 12
    with open_history("history.db", create=True) as history:
        history.add(night(1, machine={"hostname": "node8", "cores": 2}))
    for command in commands:
        done = workplace.command(*shlex.split(command)[3:])
        assert done.exitcode == 0, (command, done.err)
    with create_engine("sqlite:///history.db").connect() as connection:
        rows = connection.execute(text(blocks(PAGE, "sql")[0])).all()
    assert sorted(row.measured for row in rows) == ["[2.0,2.0,2.0]"] * 2 + ["[2.0]"] * 4


def test_every_command_and_option_is_described():
    commands = make_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    parts = commands["history"]._subparsers._group_actions[0].choices
    described = {f"history {name}": parser for name, parser in parts.items()} | {"import": commands["import"]}
    for name, parser in described.items():
        assert re.search(rf"^\| `{name}\b", PAGE, re.MULTILINE), name
        for word in {word for action in parser._actions for word in action.option_strings} - {"-h", "--help"}:
            assert f"`{word}" in PAGE, (name, word)


def test_every_table_is_described_and_every_described_table_exists():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE[PAGE.index("| table |") :], re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert described == {*metadata.tables, VERSION_TABLE}
