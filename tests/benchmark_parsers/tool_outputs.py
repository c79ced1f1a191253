"""Outputs of tools with given results, as the tools print them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark_parsers.lines import LineBlocks
from benchmark_parsers.parsed import Parsed
from benchmark_parsers.registry import make_parser

SAMPLES = Path(__file__).with_name("samples")


def read_output(parser: str, *chunks: bytes | str) -> Parsed:
    """Reads an output as the runner does: bytes become blocks of lines, which the parser takes."""
    lines, reader = LineBlocks(), make_parser(parser)
    for chunk in chunks:
        reader.feed(lines.feed(chunk if isinstance(chunk, bytes) else chunk.encode()))
    reader.feed(lines.finish())
    return reader.parsed()


def values(parsed: Parsed) -> dict[str, float]:
    return {name: metric.value for name, metric in parsed.metrics.items()}


def benchmark_app(fps: float, mean_ms: float = 20.0) -> str:
    return (
        "[Step 1/11] Parsing and validating input arguments\n[ INFO ] Parsing input parameters\n"
        "[Step 11/11] Dumping statistics report\n[ INFO ] Count:            120 iterations\n"
        f"[ INFO ] Duration:         8137.83 ms\n[ INFO ] Latency:\n[ INFO ]    Median:        {mean_ms} ms\n"
        f"[ INFO ]    Average:       {mean_ms} ms\n[ INFO ] Throughput:   {fps} FPS\n"
    )


def loadgen(rate: float, verdict: str = "VALID") -> str:
    line = "=" * 48
    return (
        f"{line}\nMLPerf Results Summary\n{line}\nSUT name : PySUT\nScenario : Offline\nMode     : PerformanceOnly\n"
        f"Samples per second: {rate}\nResult is : {verdict}\n  Min duration satisfied : Yes\n\n"
        f"{line}\nAdditional Stats\n{line}\nMean latency (ns)               : 3119631\n\n"
        f"{line}\nTest Parameters Used\n{line}\nsamples_per_query : 1\ntarget_qps : 500\n\n"
        "No warnings encountered during test.\n\nNo errors encountered during test.\n"
    )


def perf_analyzer(rates: Mapping[int, float], batch_size: int = 1) -> str:
    levels = "".join(
        f"Request concurrency: {level}\n  Client: \n    Request count: 348\n    Throughput: {rate} infer/sec\n"
        f"    p50 latency: 13936 usec\n    Avg HTTP time: 14017 usec (send/recv 200 usec + response wait 13817 usec)\n"
        for level, rate in rates.items()
    )
    return (
        f"*** Measurement Settings ***\n  Batch size: {batch_size}\n  Service Kind: Triton\n\n{levels}"
        "Inferences/Second vs. Client p95 Batch Latency\n"
    )


def hyperfine(results: Iterable[tuple[str, float, Mapping[str, str]]]) -> str:
    document = {
        "results": [
            {
                "command": command,
                "mean": mean_s,
                "times": [mean_s],
                "exit_codes": [0],
                "parameters": parameters,
            }
            for command, mean_s, parameters in results
        ]
    }
    return json.dumps(document, indent=2) + "\n"


def timm(results: Iterable[tuple[str, float, int, int]]) -> str:
    document = [
        {"model": model, "infer_samples_per_sec": rate, "infer_batch_size": batch, "infer_img_size": size}
        for model, rate, batch, size in results
    ]
    return f"--result\n{json.dumps(document, indent=4)}\n"


def pytest_benchmark(results: Iterable[tuple[str, str, float, Mapping[str, Any] | None]]) -> str:
    tests = [
        {"name": name, "fullname": f"{file}::{name}", "params": params, "stats": {"mean": mean_s}}
        for name, file, mean_s, params in results
    ]
    return json.dumps({"benchmarks": tests, "version": "5.3.0"}, indent=4) + "\n"


def google_benchmark(results: Iterable[tuple[str, float, float]]) -> str:
    lines = [
        {"name": name, "family_index": index, "per_family_instance_index": 0, "run_name": name,
         "run_type": "iteration", "repetitions": 1, "repetition_index": 0, "threads": 1, "iterations": 9,
         "real_time": real, "cpu_time": cpu, "time_unit": "ms"}
        for index, (name, real, cpu) in enumerate(results)
    ]  # fmt: skip
    return json.dumps({"context": {}, "benchmarks": lines}, indent=2) + "\n"


ONE_RESULT = {
    "benchmark_app": benchmark_app(117.97),
    "loadgen": loadgen(33.5),
    "perf_analyzer": perf_analyzer({1: 69.6}),
    "hyperfine": hyperfine([("sleep 0.1", 0.1, {})]),
    "timm_benchmark": timm([("resnet18", 218.15, 1, 160)]),
    "pytest_benchmark": pytest_benchmark([("test_get", "a.py", 0.001, None)]),
    "google_benchmark": google_benchmark([("sort", 7.0, 5.0)]),
}
"""One result by its parser."""
