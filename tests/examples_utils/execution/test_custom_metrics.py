"""Whatever the functions of --custom-metrics-files do, the variant keeps its results, and the others run."""

from __future__ import annotations

import signal

import psutil
import pytest

from examples_utils.execution.forks import custom_metrics
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

SPEC = "a: {cmd: echo t=5, data: {t: {regexp: 't=(.)'}}}\nb: {cmd: echo t=6, data: {t: {regexp: 't=(.)'}}}\n"
FILE = """
import enum, os, signal, time
from examples_utils import register_custom_metric

class Level(enum.IntEnum):
    HIGH = 3

def wild(out, err, code):
    {code}

register_custom_metric("wild", wild)
register_custom_metric("length", lambda out, err, code: len(out))
register_custom_metric("own type", lambda *_: {{"level": Level.HIGH}})
"""
FILE_WITH_DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
from examples_utils import register_custom_metric

@dataclass
class Found:
    length: int

register_custom_metric("length", lambda out, err, code: Found(len(out)).length)
"""
WILD = {
    "never ends": ("time.sleep(1000)", "took more than 0.5 s"),
    "computes for ever": ("while True: pass", "took more than 0.5 s"),
    "ends the process": ("os._exit(0)", "it ended its process"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "its process was ended by SIGKILL"),
    "is killed by a signal without a name": (
        "os.kill(os.getpid(), 40)",
        "its process was ended by signal 40",
    ),
    "takes all memory": ("return len(bytearray(64 << 30))", "it raised MemoryError"),
    "ends Python": ("exit(3)", "it raised SystemExit: 3"),
    "closes all files": ("os.closerange(0, 100)", "it ended its process"),
    "closes all files, and goes on": ("os.closerange(0, 100); time.sleep(1000)", "took more than 0.5 s"),
    "ends, but not its child": ("os.fork() and os._exit(0)\n    time.sleep(1000)", "it ended its process"),
}


@pytest.mark.processes
@pytest.mark.parametrize("title", WILD)
def test_it_is_a_warning_of_its_variant(workplace, monkeypatch, title):
    code, reason = WILD[title]
    if "took" in reason:
        monkeypatch.setattr(custom_metrics, "LIMIT_S", 0.5)
    workplace.spec(SPEC)
    workplace.script("metrics.py", FILE.format(code=code))
    done = workplace.benchmark("--custom-metrics-files", "metrics.py")
    assert done.exitcode == 0
    for variant, value in (("a", 5), ("b", 6)):
        record = done.by_variant[variant]
        assert record["results"]["t"] == {"mean": value}
        assert record["results"]["wild"] == {"value": None}
        assert record["results"]["length"] == {"value": 4}
        assert record["results"]["own type"] == {"level": 3}
        assert any(reason in warning for warning in record["warnings"]), record["warnings"]


@pytest.mark.processes
def test_a_file_may_define_dataclasses(workplace):
    workplace.spec(SPEC)
    workplace.script("metrics.py", FILE_WITH_DATACLASS)
    done = workplace.benchmark("--custom-metrics-files", "metrics.py", "--benchmark", "a")
    assert done.exitcode == 0, done.err
    assert done.by_variant["a"]["results"]["length"] == {"value": 4}


@pytest.mark.processes
@pytest.mark.parametrize("ending", ["return 1", "os.abort()"])
def test_what_it_started_ends_with_it(workplace, ending):
    workplace.spec(SPEC)
    code = f"child = os.fork() or time.sleep(1000)\n    open('child', 'w').write(str(child))\n    {ending}"
    workplace.script("metrics.py", FILE.format(code=code))
    done = workplace.benchmark("--custom-metrics-files", "metrics.py", "--benchmark", "a")
    assert done.by_variant["a"]["results"]["wild"] == {"value": 1 if "return" in ending else None}
    child = int((workplace.folder / "child").read_text())
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.processes
def test_one_signal_stops_it(workplace):
    workplace.spec(SPEC)
    workplace.script(
        "metrics.py", FILE.format(code="open('computing', 'w').close()\n    while True: time.sleep(1)")
    )
    runner = workplace.start("--custom-metrics-files", "metrics.py")
    wait_until((workplace.folder / "computing").exists)
    [child] = psutil.Process(runner.pid).children()
    runner.send_signal(signal.SIGTERM)
    runner.communicate(timeout=HANG_S)
    assert runner.returncode == 128 + signal.SIGTERM
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
