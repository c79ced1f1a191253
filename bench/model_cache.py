"""A second start, with a model cache hit, compared with the first, which fills the cache."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.command import run_driver
from bench.rounds import ratio
from bench.targets import Row, Target

ROUNDS = 3
FLAGS = ["--model", "resnet50", "--micro-batch-size", "8", "--data", "generated", "--random-weights"]


@dataclass(frozen=True)
class Start:
    """`reported_s`: building and compiling as the driver reports them; `process_s`: the whole process."""

    reported_s: float
    process_s: float


def measure_all() -> Iterator[Row]:
    """The rows of the model cache."""
    for backend in ("openvino", "onnxruntime"):
        pairs = [_first_and_second(backend) for _ in range(ROUNDS)]
        what = f"second start / first: resnet50, {backend}"
        reported = [(second.reported_s, first.reported_s) for first, second in pairs]
        yield ratio(f"{what}, building and compiling", reported, Target(at_most=0.25), "s")
        process = [(second.process_s, first.process_s) for first, second in pairs]
        yield ratio(f"{what}, whole process", process, Target(at_most=0.25), "s")


def _first_and_second(backend: str) -> tuple[Start, Start]:
    with tempfile.TemporaryDirectory() as folder:
        return _start(backend, folder, "miss"), _start(backend, folder, "hit")


def _start(backend: str, cache: str, expected: str) -> Start:
    start_s = time.perf_counter()
    done = run_driver([*FLAGS, "--iterations", "1", "--backend", backend, "--model-cache-path", cache])
    process_s = time.perf_counter() - start_s
    if f"\tmodel_cache: {expected}\n" not in done.stdout:
        raise RuntimeError(f"expected a {expected} of the model cache:\n{done.stdout}{done.stderr}")
    times = re.findall(r"^\t(?:build|compile)_time: ([\d.]+) s$", done.stdout, re.MULTILINE)
    return Start(sum(map(float, times)), process_s)
