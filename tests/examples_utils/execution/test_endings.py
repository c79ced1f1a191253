"""Timeouts, Ctrl-C, kills and children that do not want to end: nothing is lost and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from examples_utils.execution import process_tree
from tests.examples_utils.conftest import FIGURES
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

# Starts a grandchild in a session of its own that ignores SIGTERM and keeps the pipes open, then waits.
STUBBORN = """
import os, signal, subprocess, sys, time
if len(sys.argv) == 3:  # a child
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(sys.argv[2], "w").close()
    time.sleep(600)
print("throughput: 1 samples/sec latency: 1 ms", flush=True)
subprocess.Popen([sys.executable, __file__, "child", "ready_1"], start_new_session=True)
subprocess.Popen([sys.executable, __file__, "child", "ready_2"])
while not (os.path.exists("ready_1") and os.path.exists("ready_2")):
    time.sleep(0.01)
open("all_ready", "w").close()
if "leave" not in sys.argv:
    time.sleep(600)
"""


WITH_GRACE = """
import sys
from examples_utils.cli import main
from examples_utils.execution import process_tree
process_tree.GRACE_S = {}
sys.exit(main())
"""
SHORT_S = 0.2
POLITE = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\ntime.sleep(600)"


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """For children that ignore SIGTERM, however long they have."""
    monkeypatch.setattr(process_tree, "GRACE_S", SHORT_S)


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            stubborn = "stubborn.py" in " ".join(process.cmdline())
            if stubborn and process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.processes
@pytest.mark.usefixtures("short_grace")
def test_a_timeout_ends_the_command_with_all_its_children_and_the_run_goes_on(workplace):
    workplace.script("stubborn.py", STUBBORN)
    workplace.spec(f"slow:\n  cmd: python3 stubborn.py\n  timeout: 2{FIGURES}\nnext: {{cmd: echo hi}}\n")
    begun = time.monotonic()
    done = workplace.benchmark()
    assert time.monotonic() - begun < HANG_S  # the children last longer
    slow = done.by_variant["slow"]
    assert (slow["status"], slow["timed_out"], slow["reason"]) == (
        "failed",
        True,
        "took longer than its timeout of 2 s",
    )
    assert slow["results"]["throughput"] == {"mean": None}
    assert Path(slow["log_paths"]["err"]).read_text().endswith("Timeout (2)")
    assert done.by_variant["next"]["status"] == "passed"
    assert processes_in(workplace.folder) == []


def test_a_child_that_left_the_session_is_ended_too_when_its_command_ends_well(workplace):
    workplace.spec("leaves:\n  cmd: sh -c 'setsid sleep 613.25 & sleep 0.2; echo done'\n")
    done = workplace.benchmark()
    record = done.by_variant["leaves"]
    assert record["status"] == "passed"
    assert "outlived the command" in record["warnings"][-1]
    assert [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "613.25"]] == []


@pytest.mark.processes
@pytest.mark.usefixtures("short_grace")
def test_a_child_that_outlives_its_command_is_ended_and_does_not_hold_up_the_run(workplace):
    workplace.script("stubborn.py", STUBBORN)
    workplace.spec(f"leaves:\n  cmd: python3 stubborn.py leave{FIGURES}")
    done = workplace.benchmark()
    record = done.by_variant["leaves"]
    assert record["status"] == "passed"
    assert "outlived the command" in record["warnings"][-1]
    assert processes_in(workplace.folder) == []


@pytest.mark.processes
@pytest.mark.parametrize(("option", "entry", "used"), [(1, 600, "1"), (600, 1, "1"), (1, None, "1")])
def test_the_shorter_of_the_two_timeouts_counts(workplace, option, entry, used):
    workplace.spec("s: {cmd: sleep 600" + (f", timeout: {entry}" if entry else "") + "}\n")
    record = workplace.benchmark("--timeout", str(option)).by_variant["s"]
    assert Path(record["log_paths"]["err"]).read_text().endswith(f"Timeout ({used})")


@pytest.mark.processes
def test_a_command_that_ends_well_on_sigterm_has_still_failed_by_its_timeout(workplace):
    workplace.script(
        "polite.py",
        POLITE,
    )
    workplace.spec("p: {cmd: python3 polite.py, timeout: 1}\n")
    record = workplace.benchmark().by_variant["p"]
    assert (record["status"], record["exitcode"]) == ("failed", 124)


@pytest.mark.processes
@pytest.mark.parametrize(("number", "exitcode"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_ends_its_command_and_keeps_every_finished_result(workplace, number, exitcode):
    workplace.script("stubborn.py", STUBBORN)
    workplace.spec("first: {cmd: echo 1}\nsecond: {cmd: python3 stubborn.py}\nthird: {cmd: echo 3}\n")
    runner = workplace.start(runner=("-c", WITH_GRACE.format(SHORT_S)))
    wait_until((workplace.folder / "all_ready").exists)
    runner.send_signal(number)
    out, _ = runner.communicate(timeout=HANG_S)
    assert runner.returncode == exitcode
    assert "Traceback" not in out
    assert "2 not run" in out
    results = json.loads((workplace.log / "benchmark_results.json").read_text())
    assert [records[0]["status"] for records in results.values()] == ["passed", "not run", "not run"]
    assert processes_in(workplace.folder) == []


@pytest.mark.processes
def test_the_command_that_a_stopped_run_prints_goes_on_with_it(workplace):
    workplace.log = workplace.folder / "a log"
    workplace.script("wait.sh", "[ -e started ] || { touch started; sleep 600; }\n")
    workplace.spec("first: {cmd: echo 1}\nsecond: {cmd: sh wait.sh}\nthird: {cmd: echo 3}\n")
    runner = workplace.start()
    wait_until((workplace.folder / "started").exists)
    runner.send_signal(signal.SIGINT)
    out, _ = runner.communicate(timeout=HANG_S)
    python, *command = shlex.split(out.partition("continue with: ")[2].splitlines()[0])
    assert python == "python3"
    assert (
        subprocess.run([sys.executable, *command], cwd=workplace.folder, capture_output=True).returncode == 0
    )
    results = json.loads((workplace.log / "benchmark_results.json").read_text())
    assert [records[0]["status"] for records in results.values()] == ["passed"] * 3


@pytest.mark.processes
def test_a_second_ctrl_c_does_not_wait_for_the_grace_of_the_first(workplace):
    workplace.script("stubborn.py", STUBBORN)
    workplace.spec("first: {cmd: python3 stubborn.py}\n")
    runner = workplace.start(runner=("-c", WITH_GRACE.format(2 * HANG_S)))
    wait_until((workplace.folder / "all_ready").exists)
    runner.send_signal(signal.SIGINT)
    stubborn = psutil.Process(runner.pid).children()[0]
    # It has had its SIGTERM when it is a zombie; its children ignore theirs.
    wait_until(lambda: stubborn.status() == psutil.STATUS_ZOMBIE)
    runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=HANG_S)
    assert runner.returncode == 130
    assert processes_in(workplace.folder) == []


@pytest.mark.processes
@pytest.mark.usefixtures("short_grace")
def test_a_killed_runner_loses_only_the_running_variant_and_resume_does_the_rest(workplace):
    workplace.script("stubborn.py", STUBBORN)
    workplace.script("count.py", "import sys; open(sys.argv[1], 'a').write('x')")
    workplace.spec(
        "first: {cmd: python3 count.py f}\nsecond: {cmd: sh run.sh}\nthird: {cmd: python3 count.py t}\n"
    )
    workplace.script("run.sh", "exec python3 stubborn.py\n")
    runner = workplace.start()
    wait_until((workplace.folder / "all_ready").exists)
    runner.kill()
    runner.communicate()
    assert processes_in(workplace.folder) != []

    done = workplace.command("collect", str(workplace.log))
    assert done.exitcode == 1
    assert [record["status"] for record in done.by_variant.values()] == ["passed", "not run", "not run"]

    workplace.script("run.sh", "echo now it works\n")
    resumed = workplace.command("benchmark", "--resume", str(workplace.log))
    assert resumed.exitcode == 0
    assert {name: record["status"] for name, record in resumed.by_variant.items()} == dict.fromkeys(
        ["first", "second", "third"], "passed"
    )
    assert (workplace.folder / "f").read_text() == "x"
    assert (workplace.folder / "t").read_text() == "x"
    assert processes_in(workplace.folder) == []


def test_resume_runs_a_failed_variant_no_second_time_and_still_fails(workplace):
    workplace.spec("bad: {cmd: 'sh -c \"echo x >> ran; exit 5\"'}\n")
    assert workplace.benchmark().exitcode == 1
    assert workplace.command("benchmark", "--resume", str(workplace.log)).exitcode == 1
    assert (workplace.folder / "ran").read_text() == "x\n"


@pytest.mark.slow
def test_a_later_run_reports_nothing_of_a_resumed_run_of_the_older_layout(workplace):
    """Up to 0.2, a variant's folder lay in that of its benchmark."""
    workplace.spec("old: {cmd: echo old, parameters: {n: '1,2'}}\n")
    assert workplace.benchmark().exitcode == 0
    run = json.loads((workplace.log / "run.json").read_text())
    run["variants"] = {f"old/{name}": variant for name, variant in run["variants"].items()}
    (workplace.log / "run.json").write_text(json.dumps(run))
    (workplace.log / "old").mkdir()
    (workplace.log / "old_n_1").rename(workplace.log / "old/old_n_1")
    shutil.rmtree(workplace.log / "old_n_2")

    resumed = workplace.command("benchmark", "--resume", str(workplace.log))
    assert {name: record["status"] for name, record in resumed.by_variant.items()} == {
        "old_n_1": "passed",
        "old_n_2": "passed",
    }
    workplace.spec("new: {cmd: echo new}\n")
    assert list(workplace.benchmark().by_variant) == ["new"]


@pytest.mark.slow
def test_a_later_run_reports_nothing_that_a_resumed_run_of_a_changed_spec_has_added(workplace):
    workplace.spec("first: {cmd: echo 1}\n")
    workplace.benchmark()
    workplace.spec("first: {cmd: echo 1}\nadded: {cmd: echo 2}\n")
    assert list(workplace.command("benchmark", "--resume", str(workplace.log)).by_variant) == [
        "first",
        "added",
    ]
    workplace.spec("new: {cmd: echo new}\n")
    assert list(workplace.benchmark().by_variant) == ["new"]


def test_resume_takes_no_options_of_its_own(workplace):
    workplace.spec("a: {cmd: 'true'}\n")
    workplace.benchmark()
    refused = workplace.command("benchmark", "--resume", str(workplace.log), "--timeout", "3")
    assert refused.exitcode == 2
    assert "--timeout" in refused.err
    assert workplace.command("benchmark", "--resume", "nowhere").exitcode == 2


@pytest.mark.processes
def test_a_log_folder_in_use_is_refused(workplace):
    workplace.spec("s: {cmd: sh wait.sh}\n")
    workplace.script("wait.sh", "touch started; sleep 600\n")
    runner = workplace.start()
    wait_until((workplace.folder / "started").exists)
    refused = workplace.benchmark()
    runner.send_signal(signal.SIGINT)
    runner.communicate(timeout=HANG_S)
    assert refused.exitcode == 2
    assert "another run is using it" in refused.err


@pytest.mark.processes
def test_a_reader_that_goes_away_does_not_stop_the_run(workplace):
    workplace.spec("a: {cmd: echo hi}\nb: {cmd: echo ho}\n")
    runner = workplace.start()
    assert runner.stdout is not None
    runner.stdout.close()
    assert runner.wait(HANG_S) == 0
    assert list(json.loads((workplace.log / "benchmark_results.json").read_text())) == ["a", "b"]


def test_a_damaged_record_is_named_and_the_others_are_collected(workplace):
    workplace.spec("a: {cmd: 'true'}\nb: {cmd: 'true'}\n")
    workplace.benchmark()
    (workplace.log / "a/variant_result.json").write_text('{"benchmark_name": "a"')
    done = workplace.command("collect", str(workplace.log))
    assert "a/variant_result.json" in done.err
    assert {name: record["status"] for name, record in done.by_variant.items()} == {
        "b": "passed",
        "a": "not run",
    }
