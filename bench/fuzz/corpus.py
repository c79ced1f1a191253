"""The valid files from which hostile ones are made: specs, outputs of tools, and what a real run writes."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.fuzz.case import FOLDER, text_of
from bench.fuzz.hostile import TRIVIAL_COMMANDS

ROOT = Path(__file__).resolve().parents[2]
_SAMPLES = ROOT / "tests" / "benchmark_parsers" / "samples"
_RUNNER = [sys.executable, "-m", "examples_utils"]

SPEC = r"""common_options: &common_options
  data:
    throughput: {regexp: 'throughput: *(.*?) samples\/sec', skip: 0}
    latency: {regexp: "latency avg: *(.*?) ms", reduction_type: final, unit: ms, direction: lower}
  derived: {both: {expr: '{throughput} * latency', reduction_type: value}}
  output:
    - [samples/sec, 'throughput']
    - latency(ms): latency
  env: {A: $HOME, B: '{"x": 1}'}
  compare: {threshold: 2%}
first:
  <<: [*common_options]
  description: |
    Several lines
  parameters: {batchsize: "1, 4", n: [3]}
  cmd: "echo throughput: {n} samples/sec latency avg: {batchsize} ms"
  timeout: 60
  tags: [quick]
second:
  <<: *common_options
  parameters:
    - [a, b]
    - [1, x y]
    - [2, z]
  cmd: 'echo "throughput: {a} samples/sec" {b}'
  requires: [python>=3.8, cores>=1]
third_conv: {cmd: "true", generated: true, location: .}
"""

_DRIVER_OUTPUT = """Throughput: 1380.1 imgs/sec; Latency range: 2.7..3.1 ms
Throughput: 1401.9 imgs/sec; Latency range: 2.6..3.0 ms
resnet18 results:
\tmicro_batch_size: 4
\tdata_mode: generated
\tdata_type: torch.float32
\tnum_ipus: 0
\tnum_devices: 1
\tthroughput: 1391.0 samples/sec (mean) (min: 1380.1, max: 1401.9, std: 10.9)
\tlatency avg: 2.9 ms (mean) (min: 2.6, max: 3.1)
\tlatency p50: 2.9 ms
\tlatency p99: n/a (80 samples)
\tbackend: openvino 2025.0
"""


@dataclass(frozen=True)
class LogFolder:
    """The files of a run, by path in its log folder; `FOLDER` stands for the folder that holds spec and log."""

    spec: str
    files: dict[str, str]
    history: bytes

    def write(self, folder: Path) -> None:
        """Writes spec, log folder and history, as if the run had been made in `folder`."""
        (folder / "spec.yml").write_text(self.spec.replace(FOLDER, str(folder)))
        for name, text in self.files.items():
            file = folder / "log" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(FOLDER, str(folder)))
        (folder / "history.db").write_bytes(self.history)


def real_run(folder: Path) -> LogFolder:
    """Really runs the spec, in `folder`, and adds it to a new history."""
    (folder / "spec.yml").write_text(SPEC)
    options = [
        "--spec",
        "spec.yml",
        "--log-dir",
        "log",
        "--repeat",
        "2",
        "--quiet",
        "--history",
        "history.db",
    ]
    # Exit code 1: variants without a latency fail, so that there are records of both kinds.
    done = subprocess.run(
        [*_RUNNER, "benchmark", *options], cwd=folder, check=False, stdout=subprocess.DEVNULL
    )
    if done.returncode != 1:
        raise RuntimeError(f"the valid spec ended with exit code {done.returncode}, not 1")
    log = folder / "log"
    texts = {str(file.relative_to(log)): file.read_text() for file in log.rglob("*") if file.is_file()}
    files = {name: text.replace(str(folder), FOLDER) for name, text in texts.items()}
    return LogFolder(SPEC, files, (folder / "history.db").read_bytes())


def spec_tree(source: random.Random) -> dict[str, Any]:
    """Returns a few entries of a valid spec, mostly with commands that can run here."""
    if source.random() < 0.6:
        tree: dict[str, Any] = yaml.safe_load(SPEC)
        return tree
    whole: dict[str, Any] = yaml.safe_load((ROOT / "benchmarks.yml").read_text())
    names = source.sample(sorted(whole), 3)
    entries = {name: dict(whole[name]) for name in names}
    if source.random() < 0.7:
        for entry in entries.values():
            entry["cmd"] = source.choice(TRIVIAL_COMMANDS)
    return entries


def outputs() -> list[tuple[str, str]]:
    """Returns valid outputs, each with the name of its parser."""
    found = [("driver", _DRIVER_OUTPUT)]
    for file in sorted(_SAMPLES.glob("*.*")):
        parsers = [name for name in _PARSERS if file.name.startswith(name)]
        found += [(name, text_of(file.read_bytes())) for name in parsers]
    return found


_PARSERS = ("benchmark_app", "google_benchmark", "hyperfine", "loadgen", "perf_analyzer", "pytest_benchmark",
            "timm_benchmark", "poplar")  # fmt: skip
