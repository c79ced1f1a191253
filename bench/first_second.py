"""The first second of a measurement compared with the last: no start-up work may still run in it."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.command import PYTHON, TORCHRUN, run_driver
from bench.rounds import ratio
from bench.targets import Row, Target
from measurement.cpu_time import DISTURBED

FIRST_SECOND = "throughput of the first / last second"
ROUNDS = 5
ATTEMPTS = 4
"""Runs that the driver warns were disturbed by other processes are repeated, up to so many times a round."""

DURATION_S = 4
MODEL = ("--model", "mobilenet-v3-small", "--random-weights", "--micro-batch-size", "8")

_CALL = re.compile(r"^(\[[^\]]*\] )?Throughput: ([\d.]+) imgs/sec; ", re.MULTILINE)


def measure_all() -> Iterator[Row]:
    """One row per way of measuring."""
    for backend in ("openvino", "onnxruntime", "torch"):
        yield of_runs(f"{backend}, generated data", ["--backend", backend, "--data", "generated"])
    with tempfile.TemporaryDirectory() as cache:
        # Only the first of these runs compiles, for a minute.
        kept = ["--backend", "torch-compile", "--data", "generated", "--model-cache-path", cache]
        yield of_runs("torch-compile, generated data", kept)
    for name, flags in (
        ("synthetic data", ["--data", "synthetic"]),
        ("real data", ["--data", "real"]),
        ("real data, cached", ["--data", "real", "--cache-images"]),
        ("2 replicas", ["--data", "generated", "--replicas", "2", "--threads", "1"]),
        (
            "2 stages",
            ["--data", "generated", "--pipeline-splits", "blocks/3", "--device-iterations", "8"],
        ),
    ):
        yield of_runs(f"openvino, {name}", ["--backend", "openvino", *flags])
    torchrun = ["--backend", "openvino", "--data", "generated", "--threads", "1"]
    yield of_runs("openvino, torchrun with 2 processes", torchrun, TORCHRUN)


def of_runs(name: str, flags: Sequence[str], launcher: Sequence[str] = PYTHON) -> Row:
    """The row of whole runs of the driver with these flags."""
    flags = [*MODEL, *flags, "--duration", str(DURATION_S)]
    pairs = [first_and_last(host_call_seconds(_output(flags, launcher))) for _ in range(ROUNDS)]
    return ratio(
        f"{FIRST_SECOND}: mobilenet-v3-small, micro-batch 8, {name}",
        pairs,
        Target(at_least=0.97),
        "host calls/sec",
    )


def host_call_seconds(output: str) -> list[NDArray[np.float64]]:
    """Seconds of each host call, one array per process that prints its own lines."""
    rates: dict[str, list[float]] = defaultdict(list)
    for maker, rate in _CALL.findall(output):
        rates[maker].append(float(rate))
    samples = int(re.findall(r"^\tmicro_batch_size: (\d+)$", output, re.MULTILINE)[0])
    samples *= int(re.findall(r"^\tdevice_iterations: (\d+)$", output, re.MULTILINE)[0])
    return [samples / np.array(own) for own in rates.values()]


def first_and_last(processes: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Host calls per second in the first and in the last second, summed over the processes.

    `processes`: seconds of each host call in order, one array per process. A second consists of as many whole host
    calls as fill it.
    """
    first = sum(_rate(own) for own in processes)
    return first, sum(_rate(own[::-1]) for own in processes)


def _rate(host_call_s: NDArray[np.float64]) -> float:
    calls = int(np.searchsorted(np.cumsum(host_call_s), 1.0)) + 1
    counted = host_call_s[:calls]
    return len(counted) / float(counted.sum())


def _output(flags: Sequence[str], launcher: Sequence[str]) -> str:
    """What the first undisturbed run prints, or else the last one."""
    for _ in range(ATTEMPTS):
        done = run_driver(flags, launcher)
        if DISTURBED not in done.stderr:
            break
    return done.stdout
