"""What can go wrong in a night, and that no result is lost by it."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from examples_utils.nightly.lock import only_night
from examples_utils.problems import RequestError
from examples_utils.run_model import MetricKey
from tests.examples_utils.history.database.test_history_problems import without_rights
from tests.examples_utils.nightly.nights import SUITE, NightPlace
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

pytestmark = pytest.mark.processes

NOWHERE = "postgresql://nobody:secret@127.0.0.1:1/benchmarks"


def start(place: NightPlace, *more: str, **environment: str) -> subprocess.Popen[str]:
    """Starts a night as a process of its own, with the real canary."""
    return subprocess.Popen(
        [sys.executable, "-m", "examples_utils", *place.arguments(*more)],
        cwd=place.folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_ctrl_c_keeps_and_adds_what_is_finished(place: NightPlace):
    place.workplace.spec(
        "first: {cmd: echo rate 7, data: {rate: {regexp: 'rate (.*)'}}}\nsecond: {cmd: sh wait.sh}\n"
    )
    place.workplace.script("wait.sh", "touch started; sleep 600\n")
    night = start(place)
    wait_until((place.folder / "started").exists)
    night.send_signal(signal.SIGINT)
    out, _ = night.communicate(timeout=HANG_S)
    assert night.returncode == 130
    assert "Traceback" not in out
    assert "continue with: python3 -m examples_utils benchmark --resume" in out
    (run,) = place.stored()
    assert run.metrics[MetricKey(SUITE, "first", "first", "rate")].values == (7.0,)
    assert len(run.canary["compute"]) == 1


def test_ctrl_c_before_anything_is_finished_is_said(place: NightPlace):
    place.workplace.spec("only: {cmd: sh wait.sh}\n")
    place.workplace.script("wait.sh", "touch started; sleep 600\n")
    night = start(place)
    wait_until((place.folder / "started").exists)
    night.send_signal(signal.SIGINT)
    out, _ = night.communicate(timeout=HANG_S)
    assert night.returncode == 130
    assert "there is nothing to store or to compare" in out


def test_ctrl_c_while_suspects_are_repeated_keeps_all_repetitions(place: NightPlace):
    """The benchmark itself is slow in its fourth execution, which is the second on the spot."""
    place.benchmarks(a=93)
    place.went_before(16, {"a": 100})
    with (place.folder / "bench.py").open("a") as script:
        script.write("if number == 3: import time; open('started', 'w').close(); time.sleep(600)\n")
    night = start(place, "--repeat", "2")
    wait_until((place.folder / "started").exists)
    night.send_signal(signal.SIGINT)
    out, _ = night.communicate(timeout=HANG_S)
    assert night.returncode == 130, out
    assert len(place.stored()[-1].metrics[MetricKey(SUITE, "a", "a", "throughput")].values) == 3
    assert "verdict" not in out


def test_a_server_that_is_down_costs_the_verdict_and_no_result(place: NightPlace):
    place.benchmarks(a=100)
    done = place.night("--history", NOWHERE)
    assert done.exitcode == 2
    assert "the server cannot be reached" in done.out
    assert "secret" not in done.out + done.err
    assert place.verdict["verdict"] == "no verdict"
    assert place.verdict["comparison"] is None
    (command,) = {
        line.partition("add them with: ")[2] for line in done.out.splitlines() if "add them with" in line
    }
    assert command.endswith(" --history 'postgresql://nobody:***@127.0.0.1:1/benchmarks'")
    words = shlex.split(command)[3:-1]  # to a history that does answer
    assert place.workplace.command(*words, "history.db").exitcode == 0
    assert len(place.stored()[0].metrics) == 1


def test_a_history_that_goes_away_during_the_night_costs_no_verdict(place: NightPlace):
    place.benchmarks(a=93)
    place.went_before(16, {"a": 100})
    with (place.folder / "bench.py").open("a") as script:
        script.write("if number == 0: [p.unlink() for p in pathlib.Path().glob('history.db*')]\n")
        script.write("pathlib.Path('history.db').write_text('not a database ' * 500)\n")
    done = place.night()
    assert done.exitcode == 1
    assert "REGRESSED a throughput" in done.out
    assert "no result is lost: add them with: python3 -m examples_utils history add" in done.out
    assert len(place.verdict["problems"]) == 1
    assert (place.log / "report.html").exists()


def test_a_quiet_night_that_is_not_in_the_history_does_not_pass(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(16, {"a": 100})
    with (place.folder / "bench.py").open("a") as script:
        script.write("if number == 0: [p.unlink() for p in pathlib.Path().glob('history.db*')]\n")
        script.write("pathlib.Path('history.db').write_text('not a database ' * 500)\n")
    done = place.night()
    assert done.exitcode == 2
    assert place.verdict["verdict"] == "no regression"


def test_a_result_that_cannot_be_read_any_more_does_not_pass_in_silence(place: NightPlace):
    place.benchmarks(a=100, b=100)
    place.went_before(16, {"a": 100, "b": 100})
    with (place.folder / "bench.py").open("a") as script:
        script.write("records = pathlib.Path('logs').glob('*/a/**/variant_*')\n")
        script.write("if name == 'b': [record.write_text('{') for record in records]\n")
    done = place.night()
    assert done.exitcode != 0
    assert any("variant_result.json" in problem for problem in place.verdict["problems"])


def test_a_history_that_is_none_is_refused_before_anything_runs(place: NightPlace):
    place.benchmarks(a=100)
    place.workplace.script("history.db", "not a database " * 500)
    done = place.night()
    assert done.exitcode == 2
    assert "not a database of SQLite" in done.err
    assert not place.log.exists()


def test_a_history_that_is_read_only_is_refused_before_anything_runs(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(3, {"a": 100})
    (place.folder / "history.db").chmod(0o444)
    done = without_rights("-m", "examples_utils", *place.arguments(), cwd=place.folder)
    assert done.returncode == 2
    assert "history.db: is read-only" in done.stderr
    assert not place.log.exists()


def test_a_history_that_is_locked_is_held_against_all_the_same(place: NightPlace):
    place.benchmarks(a=100)
    place.went_before(16, {"a": 100})
    history = place.folder / "history.db"
    with sqlite3.connect(history, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        done = place.night("--history", f"sqlite:///{history}?timeout=0.05")
    assert done.exitcode == 2
    assert place.verdict["verdict"] == "no regression"
    (problem,) = place.verdict["problems"]
    assert "kept it locked for too long" in problem
    assert "no result is lost: add them with: " in problem


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--window", "0"], "--window"),
        (["--repeat", "0"], "--repeat"),
        (["--threshold", "2"], "--threshold"),
        (["--benchmark", "nothing"], "--benchmark nothing: no such benchmark"),
        (["--lock", "nowhere/lock"], "--lock nowhere/lock: cannot be opened"),
        (["--history", "mysql://there"], "SQLite or PostgreSQL"),
    ],
)
def test_a_wrong_request_is_refused_by_name(place: NightPlace, arguments: list[str], reported: str):
    place.benchmarks(a=100)
    done = place.night(*arguments)
    assert done.exitcode == 2
    assert reported in done.err
    assert not place.log.exists()


def test_a_second_night_on_the_machine_is_refused_and_told_of_the_first(place: NightPlace):
    place.benchmarks(a=100)
    with only_night(place.folder / "lock"):
        done = place.night()
    assert done.exitcode == 2
    assert f"another night is running on this machine (process {os.getpid()}, since " in done.err
    assert not place.log.exists()
    assert place.night().exitcode == 0


def test_a_killed_night_leaves_no_lock(tmp_path: Path):
    hold = (
        "import sys, time; from pathlib import Path; from examples_utils.nightly.lock import only_night\n"
        "with only_night(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path / "lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RequestError, match=f"process {holder.pid}"), only_night(tmp_path / "lock"):
        pass
    holder.kill()
    holder.communicate()
    with only_night(tmp_path / "lock"):
        pass


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(RequestError, match="cannot be opened"), only_night(tmp_path / "lock"):
        pass
    assert (tmp_path / "victim").read_text() == "precious"
