"""The canary between the variants: its times are stored with each repetition, and its failure costs no result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from statistics import median

import psutil
import pytest

from examples_utils.results.record import VariantResult, combine
from tests.examples_utils.waiting import wait_until
from tests.patience import HANG_S

KERNELS = {"compute_s", "memory_s"}
TWO = "a: {cmd: echo 1}\nb: {cmd: echo 2}\n"


@pytest.mark.processes
def test_the_canary_prints_the_seconds_of_its_two_kernels():
    done = subprocess.run(
        [sys.executable, "-m", "examples_utils.canary"], capture_output=True, text=True, check=True
    )
    figures = json.loads(done.stdout)
    assert set(figures) == KERNELS
    assert all(seconds > 0 for seconds in figures.values())


@pytest.mark.processes
def test_the_canary_computes_on_one_thread_whatever_the_environment_says():
    code = "import os; from examples_utils.canary import measure; measure(); print(len(os.listdir('/proc/self/task')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"


@pytest.mark.processes
def test_each_repetition_holds_its_own_canary_and_the_whole_record_their_median(workplace):
    workplace.spec(TWO)
    done = workplace.benchmark("--canary", "--repeat", "2")
    assert done.exitcode == 0
    seen = []
    for record in done.by_variant.values():
        own = [repetition["canary"] for repetition in record["repetitions"]]
        assert [set(figures) for figures in own] == [KERNELS, KERNELS]
        assert record["canary"] == {kernel: median(figures[kernel] for figures in own) for kernel in KERNELS}
        seen += own
    assert len({figures["compute_s"] for figures in seen}) == 4, "each variant has its own measurement"
    assert done.out.count("canary: compute ") == 4
    assert workplace.command("validate-results", str(workplace.log / "benchmark_results.json")).exitcode == 0


def test_without_the_option_no_canary_runs(workplace):
    workplace.spec(TWO)
    done = workplace.benchmark()
    assert [record["canary"] for record in done.by_variant.values()] == [{}, {}]
    assert not (workplace.log / "canary").exists()


def test_a_variant_that_does_not_run_has_no_canary(workplace):
    workplace.spec("a: {cmd: echo 1, requires: [no_such_program]}\n")
    record = workplace.benchmark("--canary").by_variant["a"]
    assert (record["status"], record["canary"]) == ("skipped", {})


def test_a_missing_library_is_refused_by_name_before_anything_runs(workplace, monkeypatch):
    monkeypatch.setattr("examples_utils.execution.canary_process.find_spec", lambda name: None)
    workplace.spec(TWO)
    done = workplace.benchmark("--canary")
    assert done.exitcode == 2
    assert "--canary: needs NumPy, which is not installed: pip install" in done.err
    assert not workplace.log.exists()


@pytest.mark.slow
def test_a_canary_that_breaks_costs_a_warning_and_no_result(workplace, monkeypatch):
    workplace.spec(TWO)
    replace_numpy(workplace, monkeypatch, "raise ImportError('broken')")
    done = workplace.benchmark("--canary")
    assert done.exitcode == 0
    assert [record["canary"] for record in done.by_variant.values()] == [{}, {}]
    assert done.out.count("warning: the canary returned no times (exit code 1; log in ") == 2
    assert "ImportError: broken" in (workplace.log / "canary/stderr.log").read_text()


@pytest.mark.processes
def test_ctrl_c_ends_the_canary_and_the_run_and_resume_measures_it_again(workplace, monkeypatch):
    workplace.spec(TWO)
    started = workplace.folder / "started"
    hold = f"import os, time\nopen({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    replace_numpy(workplace, monkeypatch, hold)
    runner = workplace.start("--canary")
    wait_until(lambda: started.exists() and started.read_text() != "")
    runner.send_signal(signal.SIGINT)
    out, _ = runner.communicate(timeout=HANG_S)
    assert runner.returncode == 130
    assert "Traceback" not in out
    assert not psutil.pid_exists(int(started.read_text()))

    monkeypatch.delenv("PYTHONPATH")
    resumed = workplace.command("benchmark", "--resume", str(workplace.log))
    assert resumed.exitcode == 0
    assert [set(record["canary"]) for record in resumed.by_variant.values()] == [KERNELS, KERNELS]


@pytest.mark.slow
def test_a_run_from_before_the_canary_can_still_be_resumed(workplace):
    workplace.spec(TWO)
    workplace.benchmark()
    run = json.loads((workplace.log / "run.json").read_text())
    del run["options"]["canary"]
    (workplace.log / "run.json").write_text(json.dumps(run))
    (workplace.log / "b/variant_result.json").unlink()
    assert workplace.command("benchmark", "--resume", str(workplace.log)).exitcode == 0


@pytest.mark.parametrize("value", [0, -1, "0.1", None])
def test_a_canary_that_is_no_time_is_named(workplace, value):
    workplace.spec("a: {cmd: echo 1}\n")
    workplace.benchmark()
    file = workplace.log / "a/variant_result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"canary": {"compute_s": value}}))
    done = workplace.command("validate-results", str(file))
    assert done.exitcode == 2
    assert "/canary/compute_s: error: expected seconds, above 0" in done.out


def test_repetitions_without_a_canary_do_not_count_in_the_median():
    def repetition(number: int, **canary: float) -> VariantResult:
        return VariantResult("spec", "a", "a", {}, "", {}, repetition=number, canary=canary)

    parts = [repetition(1, compute_s=3.0), repetition(2), repetition(3, compute_s=1.0, memory_s=7.0)]
    assert combine(parts, 3).canary == {"compute_s": 2.0, "memory_s": 7.0}


def replace_numpy(workplace, monkeypatch, text: str) -> None:
    """Puts another `numpy` before the real one, for processes that are started from now on."""
    package = workplace.folder / "broken/numpy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
