"""The examples and tables of the comparison page are what the commands do."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from examples_utils.cli.arguments.parser import make_parser
from examples_utils.comparison.verdicts import Verdict
from examples_utils.history.store import open_history
from tests.comparison_runs import COMPARISON_SCHEMA
from tests.examples_utils.stored_nights import NAMES, night
from tests.pages import blocks

PAGE = (Path(__file__).parents[3] / "docs/comparison.md").read_text()
COMMANDS = [
    shlex.split(line.removeprefix("$ python3 -m examples_utils "))
    for block in blocks(PAGE, "console")
    for line in block.splitlines()
]


def of_history(project) -> None:
    """Runs of the project's commits, called as in the examples, with a step in the middle."""
    with open_history("history.db", create=True) as history:
        commits = project.git("rev-list", "--reverse", "main").split()
        for number, commit in enumerate([*commits, *commits[-1:] * 20]):
            run = night(number, dict.fromkeys(NAMES[:2], 1.0 if number < 12 else 0.8), commit=commit)
            history.add(run)


@pytest.mark.processes
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_of_the_page_works(workplace, project, words):
    spec = (project.folder / "benchmarks.yml").read_text()
    project.write("benchmarks.yml", spec.replace("quick:", "quick_start:"))
    for number in range(7):
        project.speed("100.0" if number < 4 else "80.0")
        project.commit(f"Change {number}")
    project.write("data/images", "")
    for log in ("logs/monday", "logs/tuesday"):
        workplace.command("benchmark", "--log-dir", log)
    of_history(project)
    words = [word.replace("resnet", "model") for word in words]
    done = workplace.command(*words)
    assert done.err == ""
    assert done.exitcode == (1 if "--bisect" in words else 0)
    assert done.out


def test_every_verdict_is_described_and_every_described_one_exists():
    table = PAGE[PAGE.index("| verdict |") : PAGE.index("The exit code is 1 if a metric")]
    described = re.findall(r"`([a-z ]+)`", "".join(line.split(" | ")[0] for line in table.splitlines()))
    assert sorted(described) == sorted(verdict.value for verdict in Verdict)


def test_every_key_of_the_json_document_is_described():
    schema = COMPARISON_SCHEMA
    for key in (*schema["properties"], *schema["properties"]["machine"]["properties"]):
        assert f"`{key}`" in PAGE, key
    for key in schema["$defs"]["figure"]["properties"]:
        assert f"`{key}`" in PAGE, key


@pytest.mark.parametrize("command", ["compare", "ab"])
def test_every_option_is_described(command):
    parsers = make_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    options = {word for action in parsers[command]._actions for word in action.option_strings}
    for option in options - {"-h", "--help", "--exclude-tag", "--include-convergence"}:
        assert f"`{option}" in PAGE or f" {option}" in PAGE, option
