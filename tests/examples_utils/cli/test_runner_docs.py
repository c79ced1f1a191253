"""The examples and tables of the runner's pages are what the runner does."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from examples_utils.cli.arguments.parser import make_parser
from examples_utils.results.record import VariantResult
from examples_utils.spec.validation import spec_schema
from tests.pages import ROOT, SPECS, blocks

SPEC_PAGE = (ROOT / "docs/spec.md").read_text()
RUNNER_PAGE = (ROOT / "docs/runner.md").read_text()


@pytest.mark.parametrize("number", range(len(SPECS)))
def test_every_example_of_a_spec_is_valid_and_expands(workplace, number):
    workplace.spec(SPECS[number])
    validated = workplace.command("validate")
    assert validated.exitcode == 0, validated.out
    assert "0 warnings" in validated.out
    assert json.loads(workplace.command("list", "--format", "json").out)


@pytest.mark.slow
def test_the_examples_that_any_machine_can_run_give_the_figures_that_the_page_says(workplace):
    for name in ("README.md", "CONTRIBUTING.md"):
        workplace.script(name, "two words\n")
    runnable = ("count_words", "braces", "all_combinations", "rows_of_a_table", "latency_in_ms")
    workplace.spec("".join(spec for spec in SPECS if spec.split(":")[0] in runnable))
    done = workplace.benchmark()
    assert done.exitcode == 0
    assert set(done.results) == set(runnable)
    assert [tuple(record["params"].values()) for record in done.results["all_combinations"]] == [
        ("1", "3"),
        ("4", "3"),
        ("1", "5"),
        ("4", "5"),
    ]
    assert done.results["count_words"][0]["results"]["words"] == {"value": 2}
    figures = done.results["latency_in_ms"][0]["results"]
    assert (figures["latency"], figures["throughput"]) == ({"mean": 250}, {"mean": 32})


def test_every_key_of_an_entry_is_described():
    for key in spec_schema()["definitions"]["entry"]["properties"]:
        assert f"`{key}`" in SPEC_PAGE, key


def test_every_option_is_described_and_every_described_option_exists():
    benchmark = make_parser()._subparsers._group_actions[0].choices["benchmark"]  # type: ignore[union-attr,index]
    options = {
        word for action in benchmark._actions for word in action.option_strings if word.startswith("--")
    }
    described = set(re.findall(r"^\| `(--[\w-]+)|, `(--exclude-tag)", RUNNER_PAGE, re.MULTILINE))
    assert {word for pair in described for word in pair if word} == options - {"--help"}


def test_every_key_of_a_record_is_described():
    for key in VariantResult.__dataclass_fields__:
        assert f"`{key}`" in RUNNER_PAGE, key


@pytest.mark.slow
def test_the_commands_of_the_page_work(workplace):
    spec = (ROOT / "benchmarks.yml").read_text()
    workplace.spec(spec)
    commands = [
        line.removeprefix("$ ") for block in blocks(RUNNER_PAGE, "console") for line in block.splitlines()
    ]
    assert len(commands) == 3
    for command in commands:
        assert workplace.command(*shlex.split(command)[3:]).exitcode == 0


def test_the_custom_metric_of_the_page_works(workplace):
    workplace.script("metrics.py", blocks(RUNNER_PAGE, "python")[0])
    workplace.spec("a: {cmd: printf 'a\\nb\\n'}\n")
    done = workplace.benchmark("--custom-metrics-files", "metrics.py")
    assert done.by_variant["a"]["results"]["lines_printed"] == {"count": 2}
