"""Two processes of torchrun compared with two replicas, on the same model, cores and threads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.rounds import alternate, ratio
from bench.targets import Row, Target

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
DRIVER = (
    "run_benchmark.py",
    "--config",
    "resnet50",
    "--data",
    "generated",
    "--random-weights",
    "--threads",
    "1",
)


def measure_all() -> Iterator[Row]:
    """The row of instances."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *DRIVER]
    replicas = [sys.executable, *DRIVER, "--replicas", "2"]
    pairs = alternate(lambda: _throughput(torchrun), lambda: _throughput(replicas), ROUNDS)
    what = "torchrun with 2 processes / 2 replicas, of 1 thread each: --config resnet50, generated data"
    yield ratio(what, pairs, Target(at_least=0.95), "samples/sec")


def _throughput(command: Sequence[str]) -> float:
    # torchrun sets this variable itself, which is part of what is measured.
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return float(re.findall(r"throughput: *(.*?) samples\/sec", done.stdout)[0])
