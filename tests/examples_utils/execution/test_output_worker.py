"""A regular expression that never ends stops nothing but its own variant."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmark_parsers.regex import MetricSpec
from examples_utils.execution import output_worker
from examples_utils.execution.output_reader import OutputReader
from examples_utils.execution.output_worker import OutputWorker
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

# Python's engine tries 2^60 ways to match this, and for the second, the square of the length of the line.
ENDLESS = {
    "exponential": ("print('a' * 60 + 'b')", "((a|a)+)$"),
    "quadratic": ("print('throughput: ' * 200_000)", r"throughput: *(.*?) samples\/sec|x"),
}


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_worker, "BLOCK_LIMIT_S", 0.3)


def spec(title: str, more: str = "", command: str = "") -> str:
    code, regexp = ENDLESS[title]
    return (
        f"endless:\n  cmd: >-\n    python3 -uc \"{code}{command}\"\n  data: {{t: {{regexp: '{regexp}'}}}}\n  {more}\n"
        "next:\n  cmd: echo t=5\n  data: {t: {regexp: 't=(.)'}}\n"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("short_limit")
@pytest.mark.parametrize("title", ENDLESS)
def test_it_fails_its_variant_and_the_others_run(workplace, title):
    workplace.spec(spec(title))
    done = workplace.benchmark()
    assert done.exitcode == 1
    assert "a regexp or the parser took more than 0.3 s" in done.by_variant["endless"]["reason"]
    assert done.by_variant["endless"]["results"]["t"] == {"mean": None}
    assert done.by_variant["next"]["status"] == "passed"


@pytest.mark.slow
@pytest.mark.usefixtures("short_limit")
def test_stop_on_error_counts(workplace):
    workplace.spec(spec("exponential"))
    done = workplace.benchmark("--stop-on-error")
    assert done.exitcode == 1
    assert "stopping at the first failure" in done.out
    assert done.by_variant["next"]["status"] == "not run"


@pytest.mark.slow
@pytest.mark.usefixtures("short_limit")
def test_the_parse_command_reports_it(workplace):
    workplace.spec(spec("exponential"))
    workplace.script("out", "a" * 60 + "b\n")
    done = workplace.command("parse", "--benchmark", "endless", "--stdout", "out")
    assert done.exitcode == 1
    assert "a regexp or the parser took more than" in done.out


@pytest.mark.processes
def test_the_timeout_of_the_command_counts(workplace):
    workplace.spec(spec("exponential", "timeout: 1", "; import time; time.sleep(1000)"))
    runner = workplace.start("--stop-on-error")
    out, _ = runner.communicate(timeout=HANG_S)
    assert "took longer than its timeout of 1 s" in out
    assert runner.returncode == 1


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_stops_the_run_and_leaves_no_process(workplace, number):
    workplace.spec(spec("exponential", "", "; open('printed', 'w').close()"))
    runner = workplace.start()
    wait_until((workplace.folder / "printed").exists)
    # The command has ended, or does so at once: what is left is the one that matches.
    wait_until(lambda: any(child.cpu_times().user > 0.1 for child in psutil.Process(runner.pid).children()))
    children = psutil.Process(runner.pid).children(recursive=True)
    runner.send_signal(number)
    runner.communicate(timeout=HANG_S)
    assert runner.returncode == 128 + number
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def living_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_that_something_else_ends_is_replaced(tmp_path: Path):
    stdout, stderr = tmp_path / "out", tmp_path / "err"
    stdout.write_text("t=1\n")
    stderr.write_text("t=6\n")
    reader = OutputReader([MetricSpec("t", "t=(.)")])
    with contextlib.closing(OutputWorker(reader, stdout, stderr)) as worker:
        worker.wake()
        [process] = living_children()
        process.kill()
        stdout.write_text("t=1\nt=2\n")
        worker.wake()
        reading = worker.finish(lambda: None)
    assert reading.metrics["t"].reduced.value == 3
    assert reading.metrics["t"].reduced.matches == 3


def test_output_that_grows_is_read_as_one(tmp_path: Path):
    stdout = tmp_path / "out"
    reader = OutputReader([MetricSpec("t", "t=(.)")])
    with contextlib.closing(OutputWorker(reader, stdout, None)) as worker:
        worker.wake()
        with stdout.open("w") as stream:
            for piece in ["t=1\nt", "=2", "\nt=", "6"]:
                stream.write(piece)
                stream.flush()
                worker.wake()
        reading = worker.finish(lambda: None)
    assert reading.metrics["t"].reduced.matches == 3
    assert living_children() == []


def test_a_fifo_or_a_device_in_the_place_of_a_file_is_not_read(tmp_path: Path):
    (tmp_path / "out").write_text("t=1\n")
    os.mkfifo(tmp_path / "err")
    reader = OutputReader([MetricSpec("t", "t=(.)")])
    for stdout, stderr, matches in [("out", "err", 1), ("err", "out", 1), ("out", "/dev/zero", 1)]:
        with contextlib.closing(OutputWorker(reader, tmp_path / stdout, tmp_path / stderr)) as worker:
            assert worker.finish(lambda: None).metrics["t"].reduced.matches == matches


@pytest.mark.slow
def test_the_parse_command_reads_a_pipe(workplace):
    workplace.spec("a: {cmd: x, data: {t: {regexp: 't=(.)'}}}\n")
    command = [sys.executable, "-m", "examples_utils", "parse", "--benchmark", "a", "--stdout", "/dev/stdin"]
    done = subprocess.run(
        command, cwd=workplace.folder, input="t=1\nt=2\n", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["metrics"]["t"]["value"] == 1.5


def test_too_much_memory_is_a_reason(tmp_path: Path):
    class Hoarder(OutputReader):
        def feed(self, block: str) -> None:
            self.hoard = bytearray(64 << 30)

    (tmp_path / "out").write_text("t=1\n")
    with contextlib.closing(
        OutputWorker(Hoarder([MetricSpec("t", "t=(.)")]), tmp_path / "out", None)
    ) as worker:
        reading = worker.finish(lambda: None)
    assert "took more than 4 GiB of memory" in reading.parsed.problems[0]
