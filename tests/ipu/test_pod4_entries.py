"""The entries of benchmarks.yml for four IPUs, run by the runner: poprun, popdist, Horovod and PopTorch are doubles."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.poptorch_double import DOUBLES, Ipus

pytestmark = [pytest.mark.engine, pytest.mark.processes]

ROOT = Path(__file__).parents[2]
# 90 × 128 images a host call and instance would take the double an hour.
SHORTENED = "--micro-batch-size 2 --device-iterations 2 --iterations 3 --warmup 0 --random-weights"


def run_entry(name: str, ipus: Ipus, log: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{DOUBLES / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "examples_utils", "benchmark", "--benchmark", name, "--log-dir", str(log)],
        env={
            **os.environ,
            **ipus.environment,
            "PATH": path,
            "POPRUN_DOUBLE_FLAGS": SHORTENED,
            **environment,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "name",
    [
        "pytorch_mobilenet_v3_small_infer_pod4",
        pytest.param("pytorch_efficientnet_b0_minlatency_infer_gen_pod4", marks=pytest.mark.full),
    ],
)
def test_an_entry_for_four_ipus_runs_in_four_instances_and_gives_the_figures_of_all(
    name: str, photographs: Path, ipus: Ipus, tmp_path: Path
) -> None:
    flags = SHORTENED + (f" --images {photographs}" if "_gen_" not in name else "")
    done = run_entry(name, ipus, tmp_path / "log", POPRUN_DOUBLE_FLAGS=flags)
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads((tmp_path / "log" / "benchmark_results.json").read_text())[name]
    record = records[0]
    assert (record["status"], record["exitcode"]) == ("passed", 0)

    out = Path(record["log_paths"]["out"]).read_text()
    assert re.findall(r"^\tnum_ipus: (.*)$", out, re.MULTILINE) == ["4"]
    assert re.findall(r"^\tsamples: (.*)$", out, re.MULTILINE) == [str(4 * 2 * 2 * 3)]
    for instance in range(1, 5):
        assert len(re.findall(rf"^\[instance{instance}/4\] Throughput: ", out, re.MULTILINE)) == 3
    (throughput,) = re.findall(r"throughput: *(.*?) samples/sec", out)
    assert record["results"]["throughput"] == {"mean": float(throughput)}
    compiled = ipus.events("compile")
    assert sorted(event["options"]["process"] for event in compiled) == sorted([0, 1, 2, 3] * len(records))
    assert {event["options"]["replication_factor"] for event in compiled} == {1}


@pytest.mark.full  # of two instances, and of the runner: test_many_processes.py and test_run.py
def test_an_instance_that_is_refused_ends_the_entry_with_its_exit_code(ipus: Ipus, tmp_path: Path) -> None:
    name = "pytorch_mobilenet_v3_large_infer_gen_pod4"
    done = run_entry(name, ipus, tmp_path / "log", POPRUN_DOUBLE_FLAGS="--model nonesuch")
    assert done.returncode == 1
    (record,) = json.loads((tmp_path / "log" / "benchmark_results.json").read_text())[name]
    assert (record["status"], record["exitcode"]) == ("failed", 2)
