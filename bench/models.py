"""Every model on every engine: the driver against bare loops, and `auto` against timm's eager model.

There are 65 lines, and large models take a second for a host call. So a round here is one host call of each side:
the other side's runs between two host calls of the driver, outside its timed region. Whatever slows the machine
for a second touches both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from bench.engines import Subject, bare_host_call, subject
from bench.rounds import Ratio
from driver.data import open_source
from measurement.loop import TimedCall, measure
from measurement.machine import has_native_bfloat16
from models import build_model, input_spec, model_names

ENGINES = ("openvino", "onnxruntime", "torch")
DURATION_S = 2.5  # of the driver's host calls
FEWEST_ROUNDS = 9


def measure_all() -> Iterator[Ratio]:
    """A line for each model and engine, then the geometric means."""
    yield from against_bare_loops()
    yield from against_timm_eager()


def against_bare_loops() -> Iterator[Ratio]:
    found = []
    for model in model_names():
        for engine in ENGINES:
            of = _subject(model, backend=engine)
            found.append(
                _in_turn(
                    f"driver / bare loop: {model}, {engine}, micro-batch 8",
                    of,
                    bare_host_call(of),
                    "≥ 0.97",
                )
            )
            of.executable.close()
            yield found[-1]
    yield _geometric_mean("driver / bare loop, all models and engines", found, "≥ 0.99")


def against_timm_eager() -> Iterator[Ratio]:
    wanted = {
        "32.32": "≥ 1.8",
        "16.16": "≥ 3 with native bfloat16" if has_native_bfloat16() else "(float32 here)",
    }
    found: dict[str, list[Ratio]] = {precision: [] for precision in wanted}
    for model in model_names():
        for precision in wanted:
            of = _subject(model, precision=precision)
            engine = of.executable.effective
            what = f"auto ({engine.engine}, {engine.dtype}) / timm eager: {model}, micro-batch 8"
            found[precision].append(_in_turn(what, of, _timm_eager(of), "(see mean)"))
            of.executable.close()
            yield found[precision][-1]
    for precision, ratios in found.items():
        yield _geometric_mean(
            f"auto / timm eager, --precision {precision}, all models", ratios, wanted[precision]
        )


def _subject(model: str, **flags: str) -> Subject:
    return subject(model=model, device="cpu", micro_batch_size=8, device_iterations=2, duration=None, **flags)


def _in_turn(what: str, of: Subject, other: Callable[[], object], wanted: str) -> Ratio:
    """The median over pairs of host calls, with the middle half of them; `other` does as many samples."""
    other_ns: list[int] = []
    driver_ns: list[int] = []

    def after(call: TimedCall) -> None:
        begun_ns = time.perf_counter_ns()
        other()
        other_ns.append(time.perf_counter_ns() - begun_ns)
        driver_ns.append(call.host_call_ns)

    def enough() -> bool:
        return len(driver_ns) >= FEWEST_ROUNDS and sum(driver_ns) > DURATION_S * 1e9

    for _ in range(2):
        other()
    with open_source(of.settings, input_spec(of.settings.model), None, "random") as source:
        measure(of.executable, source, of.settings, after, ended=enough)
    ratios = np.array(other_ns) / np.array(driver_ns)
    low, middle, high = (float(value) for value in np.percentile(ratios, (25, 50, 75)))
    ours, theirs = (
        of.settings.samples_per_host_call * 1e9 / float(np.median(times)) for times in (driver_ns, other_ns)
    )
    return Ratio(what, middle, low, high, wanted, f"{ours:.1f} vs. {theirs:.1f} samples/sec")


def _timm_eager(of: Subject) -> Callable[[], object]:
    """A host call of the model as timm gives it, in float32, under inference_mode."""
    import torch

    module = build_model(of.settings.model, weights="random").module
    side = input_spec(of.settings.model).image_size
    size = (of.settings.micro_batch_size, 3, side, side)
    pixels = torch.from_numpy(np.random.default_rng(0).random(size, np.float32))

    def host_call() -> None:
        with torch.inference_mode():
            for _ in range(of.settings.device_iterations):
                module(pixels)

    return host_call


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
