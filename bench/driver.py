"""The driver compared with bare loops, OpenVINO's own benchmark tool, and the bound that the cores set."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from bench.command import ROOT
from bench.engines import ROUND_S, bare_throughput, driver_throughput, measured, subject
from bench.rounds import ROUNDS, alternate, growth, ratio, spread
from bench.targets import Row, Target
from datasets.images import find_images
from driver.data import open_source
from models import input_spec

BENCHMARK_APP = """
from driver.telemetry import switch_off
switch_off()
from openvino.tools.benchmark.main import main
main()
"""


def measure_all() -> Iterator[Row]:
    """The rows of the driver."""
    yield from against_bare_loops()
    yield against_benchmark_app()
    yield against_shared_cores("resnet50", target=Target(at_least=0.97))
    yield against_shared_cores("mobilenet-v3-large", target=Target(at_least=0.92))
    yield outside_the_engine()
    yield peak_memory()
    yield memory_over_time()


def against_bare_loops() -> Iterator[Row]:
    for model, micro_batch_size, device_iterations in (
        ("resnet50", 8, 1),
        ("resnet50", 8, 8),
        ("mobilenet-v3-small", 1, 1),
    ):
        of = subject(model=model, micro_batch_size=micro_batch_size, device_iterations=device_iterations)
        engine = of.executable.effective
        what = (
            f"driver / bare loop: {model}, micro-batch {micro_batch_size}, {device_iterations} device iterations, "
            f"{engine.engine} {engine.dtype}"
        )
        yield ratio(
            what, alternate(driver_throughput(of), bare_throughput(of)), Target(at_least=0.98), "samples/sec"
        )
        of.executable.close()


def against_benchmark_app() -> Row:
    """The same OpenVINO model in OpenVINO's tool, with its throughput hint."""
    import openvino as ov

    from backends.openvino_model import convert
    from models import build_model

    of = subject(model="resnet50", micro_batch_size=8, device_iterations=32, backend="openvino")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.xml"
        ov.save_model(
            convert(build_model("resnet50", weights="random").module, of.example),
            path,
            compress_to_fp16=False,
        )

        def tool() -> float:
            command = [sys.executable, "-c", BENCHMARK_APP, "-m", str(path), "-hint", "throughput"]
            done = subprocess.run(
                [*command, "-t", f"{ROUND_S:.0f}"], cwd=ROOT, capture_output=True, text=True, check=True
            )
            return float(re.findall(r"Throughput: +([\d.]+) FPS", done.stdout)[0])

        pairs = alternate(driver_throughput(of), tool)
    of.executable.close()
    what = (
        f"driver / benchmark_app -hint throughput: resnet50, micro-batch 8, {of.executable.effective.dtype}"
    )
    return ratio(what, pairs, Target(at_least=1), "samples/sec")


def against_shared_cores(model: str, target: Target) -> Row:
    """Real data compared with 1 / (compute seconds + decode seconds per image), each measured alone."""
    flags = {"model": model, "micro_batch_size": 8, "device_iterations": 8, "eight_bit_io": True}
    generated = subject(**flags)
    real = subject(**flags, data="real")
    pixels, images = input_spec(model), find_images(ROOT / "data" / "images")
    compute = driver_throughput(generated)

    def decode() -> float:
        with open_source(real.settings, pixels, images, "random") as source:
            for _ in range(3):
                source.next()
            calls, start_s = 0, time.perf_counter()
            while time.perf_counter() - start_s < ROUND_S:
                source.next()
                calls += 1
            return calls * real.settings.samples_per_host_call / (time.perf_counter() - start_s)

    pairs = alternate(driver_throughput(real, images), lambda: 1 / (1 / compute() + 1 / decode()))
    for of in (generated, real):
        of.executable.close()
    return ratio(f"driver on real data / bound of the shared cores: {model}", pairs, target, "samples/sec")


def peak_memory() -> Row:
    """Peak memory of whole processes: the driver, and a script that builds, compiles and loops."""
    flags = ["--model", "resnet50", "--micro-batch-size", "8", "--device-iterations", "8"]
    driver = [
        sys.executable,
        "run_benchmark.py",
        *flags,
        "--data",
        "generated",
        "--random-weights",
        "--duration",
        "2",
    ]
    bare = [sys.executable, "-m", "bench.bare_loop"]
    pairs = alternate(lambda: _peak_mib(driver), lambda: _peak_mib(bare), rounds=3)
    return ratio(
        "peak memory, driver / bare loop: resnet50, generated data", pairs, Target(at_most=1.15), "MiB"
    )


def outside_the_engine() -> Row:
    """The part of a host call outside the round trip of its micro-batch."""
    of = subject(model="mobilenet-v3-small", micro_batch_size=1, device_iterations=1)
    medians_us = []
    for _ in range(ROUNDS):
        found = measured(of)
        medians_us.append(float(np.median(found.host_call_ns - found.round_trip_ns)) / 1e3)
    of.executable.close()
    what = "microseconds per host call outside the engine: mobilenet-v3-small, micro-batch 1"
    details = f"of {np.median(found.host_call_ns) / 1e3:.0f} µs per host call"
    return spread(what, medians_us, Target(at_most=20), details)


def memory_over_time() -> Row:
    """Resident memory over 2,000 host calls of real data: the last tenth / the second."""
    of = subject(model="mobilenet-v3-small", micro_batch_size=1, iterations=2000, duration=None, data="real")
    process, resident_mib = psutil.Process(), []
    images = find_images(ROOT / "data" / "images")
    measured(of, images, on_call=lambda call: resident_mib.append(process.memory_info().rss / 2**20))
    of.executable.close()
    return growth("over 2,000 host calls of real data", resident_mib, Target(at_most=1.02))


def _peak_mib(command: list[str]) -> float:
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=2); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024
