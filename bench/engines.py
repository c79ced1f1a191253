"""The driver's loop and a bare loop, around the same compiled model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends import registry
from backends.base import Batch, Executable
from datasets.images import ImageSet
from driver.data import example_batch, open_source
from driver.model import with_input
from measurement.loop import Measurement, measure
from measurement.settings import Settings, resolve
from models import build_model, input_spec

ROUND_S = 3.0


@dataclass(frozen=True)
class Subject:
    """One configuration, compiled."""

    settings: Settings
    executable: Executable
    example: Batch


def subject(**flags: Any) -> Subject:
    """Compiles as `run_benchmark.py` would for these flags (generated data, random weights)."""
    flags = {"data": "generated", "weights": "random", "duration": ROUND_S, "warmup": 0, **flags}
    flags = {key: value for key, value in flags.items() if value is not None}
    backend = registry.choose(str(flags.get("backend", "auto")), str(flags.get("device", "auto")))
    settings, _ = resolve(flags, None, backend.device_kind, backend.name)
    built = build_model(settings.model, weights="random")
    example = example_batch(settings, built.input_spec)
    return Subject(settings, backend.compile(with_input(built, settings), example, settings), example)


def measured(of: Subject, images: ImageSet | None = None, **callbacks: Any) -> Measurement:
    """The driver's loop, on `images` if the settings ask for real data; `callbacks` as for `measure`."""
    with open_source(of.settings, input_spec(of.settings.model), images, "random") as source:
        return measure(of.executable, source, of.settings, **callbacks)


def driver_throughput(of: Subject, images: ImageSet | None = None) -> Callable[[], float]:
    """One round of the driver, in samples per second; on `images` if the settings ask for real data."""

    def run() -> float:
        found = measured(of, images)
        return found.samples / (float(found.host_call_ns.sum()) / 1e9)

    return run


def bare_throughput(of: Subject) -> Callable[[], float]:
    """One round of the shortest loop, as in the engine's manual, around the same compiled model."""
    one_call = bare_host_call(of)
    samples = of.settings.samples_per_host_call

    def run() -> float:
        for _ in range(2):
            one_call()
        calls, start_s = 0, time.perf_counter()
        while time.perf_counter() - start_s < (of.settings.duration_s or ROUND_S):
            one_call()
            calls += 1
        return calls * samples / (time.perf_counter() - start_s)

    return run


def bare_host_call(of: Subject) -> Callable[[], object]:
    """One host call, as in the engine's manual."""
    makers = {"openvino": _bare_openvino, "onnxruntime": _bare_onnxruntime, "torch": _bare_torch}
    return makers[of.executable.effective.engine](of)


def _bare_openvino(of: Subject) -> Callable[[], object]:
    import openvino as ov

    compiled: ov.CompiledModel = of.executable.compiled  # type: ignore[attr-defined]
    if of.settings.device_iterations == 1:
        request = compiled.create_infer_request()
        return lambda: request.infer(of.example, share_inputs=True, share_outputs=True)
    queue = ov.AsyncInferQueue(compiled, of.executable.effective.in_flight)

    def host_call() -> None:
        for _ in range(of.settings.device_iterations):
            queue.start_async(of.example, share_inputs=True)
        queue.wait_all()

    return host_call


def _bare_onnxruntime(of: Subject) -> Callable[[], object]:
    session = of.executable.session  # type: ignore[attr-defined]
    name = session.get_inputs()[0].name

    def host_call() -> None:
        for _ in range(of.settings.device_iterations):
            session.run(None, {name: of.example})

    return host_call


def _bare_torch(of: Subject) -> Callable[[], object]:
    import torch

    model = of.executable.model  # type: ignore[attr-defined]
    dtype = next(model.parameters()).dtype

    def host_call() -> None:
        with torch.inference_mode():
            for _ in range(of.settings.device_iterations):
                # From the array in host memory, as with the other engines.
                model(torch.from_numpy(of.example).to(dtype, memory_format=torch.channels_last))

    return host_call
