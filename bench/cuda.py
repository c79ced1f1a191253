"""The driver on a CUDA device, against a bare loop over a CUDA graph of the same model, in device memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

from bench.engines import ROUND_S, Subject, driver_throughput, subject
from bench.rounds import alternate, ratio
from bench.targets import NO_TARGET, Row, Target

CASES = (("resnet50", 64), ("mobilenet-v3-large", 64), ("resnet50", 1))
"""Models and their micro-batch sizes."""

AT_LEAST = Target(at_least=0.98)


def measure_all() -> Iterator[Row]:
    """One row per engine, model, data and precision."""
    for engine in ("torch-compile", "torch"):
        for model, micro_batch_size in CASES:
            flags = {"model": model, "micro_batch_size": micro_batch_size, "device_iterations": 16}
            for data, target in (("synthetic", AT_LEAST), ("generated", NO_TARGET)):
                of = subject(**flags, backend=engine, device="cuda", data=data, precision="16.16")
                with closing(of.executable):
                    yield ratio(
                        f"driver / bare loop: {model}, {engine}, float16, micro-batch {micro_batch_size}, {data} data",
                        alternate(driver_throughput(of), bare_throughput(of)),
                        target,
                        "samples/sec",
                    )


def bare_throughput(of: Subject) -> Callable[[], float]:
    """One round of the shortest loop: one graph, replayed over pixels that lie on the device."""
    import torch

    pixels = torch.from_numpy(of.example).to("cuda")
    compute = of.executable.compute  # type: ignore[attr-defined]
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.no_grad():
        with torch.cuda.stream(stream):
            compute(pixels)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, stream=stream):
            compute(pixels)

    def run() -> float:
        calls, start_s = 0, time.perf_counter()
        while time.perf_counter() - start_s < ROUND_S:
            for _ in range(of.settings.device_iterations):
                graph.replay()
            torch.cuda.synchronize()
            calls += 1
        return calls * of.settings.samples_per_host_call / (time.perf_counter() - start_s)

    return run
