"""Every model on every engine: the driver compared with bare loops, and `auto` with timm's eager model.

There are 65 rows, and large models take a second per host call. So a round is one host call of each side: the other
side runs between two host calls of the driver, outside its timed region. Whatever slows the machine for a second
affects both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np

from bench.engines import Subject, bare_host_call, measured, subject
from bench.targets import Row, Target
from measurement.loop import TimedCall
from measurement.machine import has_native_bfloat16
from models import build_model, input_spec, model_names

ENGINES = ("openvino", "onnxruntime", "torch")
DURATION_S = 2.5  # of the driver's host calls
FEWEST_ROUNDS = 9


def measure_all() -> Iterator[Row]:
    """One row per model and engine, then the geometric means."""
    yield from against_bare_loops()
    yield from against_timm_eager()


def against_bare_loops() -> Iterator[Row]:
    found = []
    for model in model_names():
        for engine in ENGINES:
            of = _subject(model, backend=engine)
            found.append(
                _alternated(
                    f"driver / bare loop: {model}, {engine}, micro-batch 8",
                    of,
                    bare_host_call(of),
                    Target(at_least=0.97),
                )
            )
            of.executable.close()
            yield found[-1]
    yield _geometric_mean("driver / bare loop, all models and engines", found, Target(at_least=0.99))


def against_timm_eager() -> Iterator[Row]:
    targets = {
        "32.32": Target(at_least=1.8),
        "16.16": Target(at_least=3, note="with native bfloat16")
        if has_native_bfloat16()
        else Target(note="float32 on this CPU"),
    }
    found: dict[str, list[Row]] = {precision: [] for precision in targets}
    for model in model_names():
        for precision in targets:
            of = _subject(model, precision=precision)
            engine = of.executable.effective
            what = f"auto ({engine.engine}, {engine.dtype}) / timm eager: {model}, micro-batch 8"
            found[precision].append(_alternated(what, of, _timm_eager(of), Target(note="see mean")))
            of.executable.close()
            yield found[precision][-1]
    for precision, ratios in found.items():
        yield _geometric_mean(
            f"auto / timm eager, --precision {precision}, all models", ratios, targets[precision]
        )


def _subject(model: str, **flags: str) -> Subject:
    return subject(model=model, device="cpu", micro_batch_size=8, device_iterations=2, duration=None, **flags)


def _alternated(what: str, of: Subject, other: Callable[[], object], target: Target) -> Row:
    """The median and the middle half of the ratios of alternating host calls; `other` runs as many samples."""
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
    measured(of, on_call=after, ended=enough)
    ratios = np.array(other_ns) / np.array(driver_ns)
    low, middle, high = (float(value) for value in np.percentile(ratios, (25, 50, 75)))
    ours, theirs = (
        of.settings.samples_per_host_call * 1e9 / float(np.median(times)) for times in (driver_ns, other_ns)
    )
    return Row(what, middle, low, high, target, f"{ours:.1f} vs. {theirs:.1f} samples/sec")


def _timm_eager(of: Subject) -> Callable[[], object]:
    """A host call of timm's unchanged model, in float32, under inference_mode."""
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


def _geometric_mean(what: str, ratios: list[Row], target: Target) -> Row:
    values = [found.value for found in ratios]
    return Row(
        f"geometric mean: {what}",
        statistics.geometric_mean(values),
        min(values),
        max(values),
        target,
        f"{len(values)} ratios",
    )
