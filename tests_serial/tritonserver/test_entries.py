"""The suite's own entries with a server, run by the runner and read by the driver's parser."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serving.served_model import ROOT

TESTS = Path(__file__).parent
WRAPPER = ROOT / "run_benchmark_with_triton_server.py"
SPEC = yaml.safe_load((ROOT / "benchmarks.yml").read_text())
ENTRIES = {name: entry for name, entry in SPEC.items() if name.endswith("_triton_infer")}


@pytest.mark.parametrize("request_type", ["SYNC", "ASYNC"])
def test_an_entry_runs_and_its_figures_and_settings_are_in_the_record(
    request_type: str, repository: Path, tmp_path: Path
) -> None:
    """As in benchmarks.yml, but with one second, one of its variants, and this run's exports."""
    entry = dict(ENTRIES["pytorch_mobilenet_v3_small_triton_infer"])
    here = {"run_benchmark_with_triton_server.py": WRAPPER, "tests_serial/tritonserver/": f"{TESTS}/"}
    for written, absolute in here.items():
        assert written in entry["cmd"]
        entry["cmd"] = entry["cmd"].replace(written, str(absolute))
    entry["cmd"] += f" --duration 1 --model-repository {repository}"
    entry["parameters"] = {"request_type": request_type, "clients": 1}
    (tmp_path / "benchmarks.yml").write_text(yaml.safe_dump({"small": entry}))
    command = [sys.executable, "-m", "examples_utils", "benchmark", "--log-dir", "logs"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = json.loads((tmp_path / "logs/benchmark_results.json").read_text())["small"]
    assert record["status"] == "passed"
    assert record["results"]["throughput"]["mean"] > 0
    assert record["results"]["latency"]["mean"] > 0
    metrics = record["metrics"]
    assert {"server_queue", "server_compute", "server_memory", "host_call_throughput"} <= set(metrics)
    assert metrics["failed_requests"]["value"] == 0
    settings = record["settings"]
    assert settings["request_type"] == request_type
    assert settings["clients"] == "1"
    assert settings["instances"] == str(len(settings["cores_of_instances"].split(";")))
    assert settings["precision_effective"] in ("float32", "bfloat16")


def test_every_entry_names_one_test_that_there_is() -> None:
    command = [sys.executable, str(WRAPPER), "--collect-only", "-q", "--benchmark_only", str(TESTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    there = re.findall(r"::(test_single_model\[.*\])$", done.stdout, re.MULTILINE)
    named = []
    for entry in ENTRIES.values():
        words = shlex.split(entry["cmd"])
        expression = words[words.index("-k") + 1]
        for request_type in entry["parameters"]["request_type"].split(","):
            for clients in entry["parameters"]["clients"].split(","):
                named.append(expression.format(request_type=request_type, clients=clients))
    assert sorted(named) == sorted(there)
