"""The examples and tables of the results page are what the runner does."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from benchmark_parsers.registry import known_parsers
from benchmark_parsers.result_check import result_schema
from tests.pages import SPECS, blocks
from tests.patience import HANG_S

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/results.md").read_text()
SAMPLES = ROOT / "tests/benchmark_parsers/samples"


@pytest.mark.slow
def test_the_commands_of_the_page_work(workplace):
    workplace.spec("a: {cmd: echo hi}\n")
    workplace.command("benchmark", "--log-dir", "logs")
    workplace.spec(next(spec for spec in SPECS if "start_up_time" in spec))
    shutil.copy(SAMPLES / "benchmark_app.txt", "benchmark_app.txt")
    shutil.copy(SAMPLES / "loadgen_single_stream.txt", "mlperf_log_summary.txt")
    shutil.copy(SAMPLES / "hyperfine.json", "times.json")
    commands = [line for block in blocks(PAGE, "console") for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert workplace.command(*shlex.split(command)[4:]).exitcode == 0, command


@pytest.mark.slow
def test_the_parser_of_the_page_works(workplace, monkeypatch):
    package = workplace.folder / "installed/mypackage"
    package.mkdir(parents=True)
    (package / "parsing.py").write_text(blocks(PAGE, "python")[0])
    distribution = workplace.folder / "installed/mypackage-1.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: mypackage\nVersion: 1\n")
    group, line = blocks(PAGE, "toml")[0].strip().splitlines()
    name, value = line.split(" = ")
    (distribution / "entry_points.txt").write_text(
        f"{group.replace('project.entry-points.', '')}\n{name} = {value.strip(chr(34))}\n"
    )
    workplace.spec(f"w: {{cmd: echo two words, parser: {name}}}\n")
    runner = workplace.start(PYTHONPATH=f"{ROOT}:{workplace.folder / 'installed'}")
    out, _ = runner.communicate(timeout=HANG_S)
    assert runner.returncode == 0, out
    assert '"value": 2.0, "unit": "words"' in (workplace.log / "benchmark_results.json").read_text().replace(
        '"reduction": "value", ', ""
    )


def test_every_parser_is_described_and_every_described_parser_exists():
    table = PAGE[PAGE.index("| parser |") :]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == known_parsers()


def test_every_key_of_a_metric_is_described():
    definitions = result_schema()["$defs"]
    for key in [*definitions["metric"]["properties"], *definitions["summary"]["properties"]]:
        assert f"`{key}`" in PAGE, key
