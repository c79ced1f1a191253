"""Every model on every engine: the driver against bare loops, and `auto` against timm's eager model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from bench.engines import Subject, bare_throughput, driver_throughput, subject
from bench.rounds import Ratio, alternate, ratio
from measurement.machine import has_native_bfloat16
from models import build_model, input_spec, model_names

ENGINES = ("openvino", "onnxruntime", "torch")
ROUND_S = 1.0
HOST_CALLS_A_ROUND = 3  # at least: the large models take a second for one
ROUNDS = 5


def measure_all() -> Iterator[Ratio]:
    """A line for each model and engine, then the geometric means."""
    yield from against_bare_loops()
    yield from against_timm_eager()


def against_bare_loops() -> Iterator[Ratio]:
    found = []
    for model in model_names():
        for engine in ENGINES:
            of = _subject(model, backend=engine)
            pairs = alternate(driver_throughput(of), bare_throughput(of), ROUNDS)
            of.executable.close()
            found.append(
                ratio(f"driver / bare loop: {model}, {engine}, micro-batch 8", pairs, "≥ 0.97", "samples/sec")
            )
            yield found[-1]
    yield _geometric_mean("driver / bare loop, all models and engines", found, "≥ 0.99")


def against_timm_eager() -> Iterator[Ratio]:
    wanted = {
        "32.32": "≥ 1.8",
        "16.16": "≥ 3 with native bfloat16" if has_native_bfloat16() else "(float32 here)",
    }
    found: dict[str, list[Ratio]] = {precision: [] for precision in wanted}
    for model in model_names():
        eager = _timm_eager(model)
        for precision in wanted:
            of = _subject(model, precision=precision)
            pairs = alternate(driver_throughput(of), eager, ROUNDS)
            of.executable.close()
            engine = of.executable.effective
            what = f"auto ({engine.engine}, {engine.dtype}) / timm eager: {model}, micro-batch 8"
            found[precision].append(ratio(what, pairs, "(mean counts)", "samples/sec"))
            yield found[precision][-1]
    for precision, ratios in found.items():
        yield _geometric_mean(
            f"auto / timm eager, --precision {precision}, all models", ratios, wanted[precision]
        )


def _subject(model: str, **flags: str) -> Subject:
    """The model, compiled, with rounds long enough for a few host calls."""
    of = subject(model=model, device="cpu", micro_batch_size=8, device_iterations=2, **flags)
    batches = [of.example] * 2
    of.executable.run(batches)
    start_s = time.perf_counter()
    of.executable.run(batches)
    round_s = max(ROUND_S, HOST_CALLS_A_ROUND * (time.perf_counter() - start_s))
    return replace(of, settings=replace(of.settings, duration_s=round_s))


def _timm_eager(model: str) -> Callable[[], float]:
    """The model as timm gives it, in float32, in a loop under inference_mode."""
    import torch

    module = build_model(model, weights="random").module
    side = input_spec(model).image_size
    pixels = torch.from_numpy(np.random.default_rng(0).random((8, 3, side, side), np.float32))

    def run() -> float:
        with torch.inference_mode():
            module(pixels)
            calls, start_s = 0, time.perf_counter()
            while calls < HOST_CALLS_A_ROUND or time.perf_counter() - start_s < ROUND_S:
                module(pixels)
                calls += 1
            return calls * len(pixels) / (time.perf_counter() - start_s)

    return run


def _geometric_mean(what: str, ratios: list[Ratio], wanted: str) -> Ratio:
    values = [found.value for found in ratios]
    return Ratio(
        f"geometric mean: {what}",
        statistics.geometric_mean(values),
        min(values),
        max(values),
        wanted,
        f"{len(values)} ratios",
    )
