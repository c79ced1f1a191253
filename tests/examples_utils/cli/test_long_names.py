"""Names that no file system takes are refused with what is wrong."""

from __future__ import annotations

import pytest

LONG, WIDE = "x" * 256, "語" * 86
COMMANDS = {
    "--spec": ["validate", "--spec", "{}.yml"],
    "--spec of list": ["list", "--spec", "folder/{}/benchmarks.yml"],
    "--log-dir": ["benchmark", "--log-dir", "logs/{}"],
    "--requirements-file": ["benchmark", "--requirements-file", "{}"],
    "--custom-metrics-files": ["benchmark", "--custom-metrics-files", "a.py", "{}"],
    "--resume": ["benchmark", "--resume", "{}"],
    "--history": ["benchmark", "--history", "{}"],
    "--tag": ["list", "--tag", "{}"],
    "--stdout": ["parse", "--parser", "driver", "--stdout", "{}"],
    "--log-dir of collect": ["collect", "{}"],
    "--files": ["validate-results", "{}"],
}


@pytest.mark.parametrize("name", [LONG, WIDE], ids=["ASCII", "CJK"])
@pytest.mark.parametrize("title", COMMANDS)
def test_a_name_over_255_bytes_is_refused_with_the_option(workplace, title, name):
    workplace.spec("a: {cmd: echo}\n")
    done = workplace.command(*(word.format(name) for word in COMMANDS[title]))
    assert done.exitcode == 2
    assert f"error: {title.partition(' ')[0]} " in done.err
    assert "file names have at most 255" in done.err
    assert len(done.err) < 300


def test_a_path_over_4095_bytes_is_refused(workplace):
    done = workplace.command("validate", "--spec", "folder/" * 700 + "benchmarks.yml")
    assert done.exitcode == 2
    assert "a path of 4914 bytes; paths have at most 4095" in done.err


@pytest.mark.parametrize("name", [LONG, WIDE], ids=["ASCII", "CJK"])
def test_the_name_of_a_benchmark_may_be_long(workplace, name):
    workplace.spec(f"{name}: {{cmd: echo hi}}\n")
    assert workplace.command("list", "--benchmark", name).exitcode == 0
    assert workplace.command("list", "--benchmark", "y" * 256).exitcode == 2
