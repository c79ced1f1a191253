"""The display, the terminal and the shell's settings of signals decide nothing about the results."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.examples_utils.conftest import Workplace
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

RUNNER = f"exec {sys.executable} -m examples_utils"
TWO = "good: {cmd: echo hi}\nbad: {cmd: sh -c 'echo no; exit 3'}\n"


def in_shell(workplace: Workplace, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", "-c", command], cwd=workplace.folder, capture_output=True, text=True)


def stored(log: Path) -> dict[str, str]:
    results = json.loads((log / "benchmark_results.json").read_text())
    return {record["variant_name"]: record["status"] for records in results.values() for record in records}


@pytest.mark.slow
@pytest.mark.parametrize(
    "display", [">&-", ">/dev/full", ">/dev/full 2>&1", "<&- >&- 2>&-", "2>&-", ">&- 2>/dev/full"]
)
def test_a_run_without_a_display_keeps_its_results_and_exit_code(workplace: Workplace, display: str) -> None:
    workplace.spec(TWO)
    done = in_shell(workplace, f"{RUNNER} benchmark --log-dir log {display}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert stored(workplace.log) == {"good": "passed", "bad": "failed"}
    # No file of the run got the number of a closed descriptor, and with it what a command prints.
    assert (workplace.log / "bad/stdout.log").read_text() == "no\n"
    assert "hi" not in (workplace.log / "output.log").read_text().splitlines()
    collected = in_shell(workplace, f"{RUNNER} collect log {display}")
    assert collected.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("display", [">&-", ">/dev/full"])
@pytest.mark.parametrize("command", ["list", "validate"])
def test_a_command_that_only_prints_fails_if_it_cannot(
    workplace: Workplace, command: str, display: str
) -> None:
    workplace.spec(TWO)
    done = in_shell(workplace, f"{RUNNER} {command} {display}")
    assert done.returncode == 2
    assert "error: stdout cannot be written" in done.stderr


@pytest.mark.processes
def test_a_terminal_that_vanishes_does_not_stop_a_run_that_ignores_hangups(workplace: Workplace) -> None:
    workplace.script("wait.sh", "touch started; while [ ! -e go ]; do sleep 0.02; done; echo hi\n")
    workplace.spec("first: {cmd: sh wait.sh}\nlast: {cmd: echo 2}\n")
    own, terminal = pty.openpty()
    runner = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' HUP; {RUNNER} benchmark --log-dir log"],
        cwd=workplace.folder,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    wait_until((workplace.folder / "started").exists)
    os.close(own)
    (workplace.folder / "go").touch()
    assert runner.wait(HANG_S) == 0
    assert stored(workplace.log) == {"first": "passed", "last": "passed"}


@pytest.mark.processes
def test_a_working_folder_that_is_removed_during_the_run_does_not_stop_it(workplace: Workplace) -> None:
    inner = workplace.folder / "inner"
    inner.mkdir()
    workplace.spec(f"first: {{cmd: rmdir {inner}}}\nlast: {{cmd: echo 2}}\n")
    command = [
        sys.executable,
        "-m",
        "examples_utils",
        "benchmark",
        "--spec",
        str(workplace.folder / "benchmarks.yml"),
    ]
    done = subprocess.run(
        [*command, "--log-dir", str(workplace.log)], cwd=inner, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(workplace.log) == {"first": "passed", "last": "passed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["list", "benchmark", "validate", "collect log", "compare a b", "parse --stdout x"]
)
def test_a_removed_working_folder_is_named(workplace: Workplace, command: str) -> None:
    done = in_shell(workplace, f"mkdir gone && cd gone && rmdir ../gone && {RUNNER} {command}")
    assert done.returncode == 2
    assert "the current folder does not exist" in done.stderr
    assert "finished results" not in done.stderr


@pytest.mark.processes
@pytest.mark.parametrize("ignored", ["HUP", "INT", "HUP INT QUIT"])
def test_an_ignored_signal_stays_ignored(workplace: Workplace, ignored: str) -> None:
    workplace.script("wait.sh", "touch started; while [ ! -e go ]; do sleep 0.02; done\n")
    workplace.spec("first: {cmd: sh wait.sh}\nlast: {cmd: echo 2}\n")
    command = f"trap '' {ignored}; {RUNNER} benchmark --log-dir log"
    runner = subprocess.Popen(["/bin/sh", "-c", command], cwd=workplace.folder, stdout=subprocess.DEVNULL)
    wait_until((workplace.folder / "started").exists)
    for name in ignored.split():
        runner.send_signal(signal.Signals[f"SIG{name}"])
    (workplace.folder / "go").touch()
    assert runner.wait(HANG_S) == 0
    assert stored(workplace.log) == {"first": "passed", "last": "passed"}


@pytest.mark.processes
def test_sigquit_ends_the_command_and_keeps_every_finished_result(workplace: Workplace) -> None:
    workplace.script("wait.sh", "echo $$ > started.tmp; mv started.tmp started; sleep 600\n")
    workplace.spec("first: {cmd: echo 1}\nsecond: {cmd: sh wait.sh}\n")
    runner = workplace.start()
    wait_until((workplace.folder / "started").exists)
    runner.send_signal(signal.SIGQUIT)
    out, _ = runner.communicate(timeout=HANG_S)
    assert runner.returncode == 128 + signal.SIGQUIT
    assert "stopped by SIGQUIT" in out
    assert stored(workplace.log) == {"first": "passed", "second": "not run"}
    assert not psutil.pid_exists(int((workplace.folder / "started").read_text()))


def running(words: list[str]) -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == words]


@pytest.mark.processes
@pytest.mark.parametrize(("end", "timeout"), [("sleep 0.3", 600), ("sleep 600", 2)])
def test_an_orphan_without_environment_in_a_session_of_its_own_is_ended(
    workplace: Workplace, end: str, timeout: int
) -> None:
    seconds = f"{5000 + os.getpid()}.{len(end)}"
    orphan = f"(env -i setsid sleep {seconds} &)"
    workplace.spec(f"leaves: {{cmd: \"sh -c '{orphan}; {end}'\", timeout: {timeout}}}\n")
    record = workplace.benchmark().by_variant["leaves"]
    assert record["timed_out"] == (end == "sleep 600")
    assert running(["sleep", seconds]) == []
    if not record["timed_out"]:
        assert record["warnings"][-1] == "1 processes outlived the command and were terminated"


@pytest.mark.processes
def test_orphans_that_end_leave_no_zombies_while_their_command_runs(workplace: Workplace) -> None:
    workplace.script("count.py", f"""
import os, psutil, subprocess, time
for _ in range(5):
    subprocess.run(["sh", "-c", "env -i setsid true &"])
def ended():
    return [p.pid for p in psutil.Process(os.getppid()).children() if p.status() == psutil.STATUS_ZOMBIE]
deadline = time.monotonic() + {HANG_S / 2}
while ended() and time.monotonic() < deadline:
    time.sleep(0.02)
print(ended())
""")  # fmt: skip
    workplace.spec("a: {cmd: python3 count.py}\n")
    runner = workplace.start()
    out, _ = runner.communicate(timeout=HANG_S)
    assert runner.returncode == 0, out
    assert (workplace.log / "a/stdout.log").read_text() == "[]\n"


@pytest.mark.processes
def test_a_child_of_the_callers_own_is_none_of_a_commands(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: 'true'}\n")
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as own:
        assert workplace.benchmark().by_variant["a"]["warnings"] == [] or own.poll() is None
        assert own.poll() is None
        own.kill()


@pytest.mark.parametrize("replacement", ["mkfifo {0}", "ln -s /dev/zero {0}", "ln -s /dev/full {0}", ":"])
def test_output_that_a_command_replaces_is_read_as_it_was_written(
    workplace: Workplace, replacement: str
) -> None:
    both = " && ".join(replacement.format(f"log/a/{name}.log") for name in ("stdout", "stderr"))
    workplace.script(
        "swap.sh", f"rm log/a/stdout.log log/a/stderr.log && {both}\necho value 5; echo error: oh >&2\n$1\n"
    )
    workplace.spec("a: {cmd: sh swap.sh, data: {v: {regexp: 'value (.*)'}}}\nb: {cmd: sh swap.sh 'exit 3'}\n")
    done = workplace.benchmark("--benchmark", "a")
    assert done.by_variant["a"]["results"]["v"] == {"mean": 5.0}
    assert (workplace.log / "a/stderr.log").read_text() == "error: oh\n"


def test_a_fifo_in_the_place_of_an_output_does_not_stop_the_run(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: echo hi}\n")
    (workplace.log / "a").mkdir(parents=True)
    for name in ("a/stdout.log", "a/stderr.log", ".lock"):
        os.mkfifo(workplace.log / name)
    assert workplace.benchmark().exitcode == 0
    assert (workplace.log / "a/stdout.log").read_text() == "hi\n"
