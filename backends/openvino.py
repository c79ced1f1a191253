"""OpenVINO on the CPU: asynchronous requests for throughput, one request for latency."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Array, Artefact, Availability, Backend, BackendError, Batch, Effective, HostCall
from backends.breadcrumbs import leave_breadcrumb
from backends.graph_digest import PART, digest_line, openvino_digest
from backends.openvino_core import core, release_idle_threads
from backends.openvino_model import convert, decompose_group_norms, from_ir, to_ir
from backends.profiling.openvino import profile_requests
from backends.profiling.profile import Profile
from measurement.machine import available_cores
from measurement.settings import Settings

if TYPE_CHECKING:
    import openvino as ov
    import torch

NO_CORES = "No CPU resources available"
CORES_RELEASED_WITHIN_S = 5.0
"""The threads of a closed pipeline stage end in the background, and release the cores reserved for it only then."""


class OpenVinoBackend:
    name = "openvino"
    device_kind = "cpu"
    artefact_settings: tuple[str, ...] = ()

    def available(self) -> Availability:
        if find_spec("openvino") is None:
            return Availability(False, "the package openvino is not installed", "pip install openvino")
        return Availability(True)

    def check(self, settings: Settings) -> None:
        streams = settings.streams or 1
        threads = settings.threads or available_cores() // settings.replica_processes
        if streams > threads:
            replicated = settings.replicas > 1
            raise BackendError(
                f"--streams {streams}{f' with --replicas {settings.replicas}' * replicated}: each needs a thread of "
                f"its own, and there are {threads}{' per replica' * replicated}; give --streams {threads} or fewer"
            )
        if streams > settings.device_iterations:
            raise BackendError(
                f"--streams {streams}: a host call has only {settings.device_iterations} micro-batches to compute "
                f"concurrently; give --device-iterations {streams} or more"
            )

    def load(self) -> None:
        core()

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> OpenVinoExecutable:
        converted = convert(model, example)
        return _executable(converted, {PART: openvino_digest(converted)}, example, settings)

    def compile_and_keep(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> tuple[OpenVinoExecutable, Artefact]:
        converted = convert(model, example)
        artefact = {**to_ir(converted), PART: openvino_digest(converted)}
        return self.restore(artefact, lambda: model, example, settings), artefact

    def restore(
        self, artefact: Artefact, build: Callable[[], torch.nn.Module], example: Batch, settings: Settings
    ) -> OpenVinoExecutable:
        # The IR, not a compiled blob: compiling it takes 0.2 s for resnet50 and 0.5 s for efficientnet-b4, and
        # importing a blob takes as long.
        return _executable(from_ir(artefact), artefact, example, settings)

    def compile_stage(
        self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings
    ) -> OpenVinoStage:
        model = convert(stage, *examples)
        details = digest_line({PART: openvino_digest(model)})
        properties = {**_properties(settings), "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        # Without it OpenVINO pins the threads of every stage to the same first cores.
        properties["ENABLE_CPU_RESERVATION"] = True
        # OpenVINO would reuse idle threads of an equal number, and never release the cores reserved for new ones
        # (openvino 2026.4).
        release_idle_threads()
        compiled = _compiled(model, properties)
        return OpenVinoStage(compiled, _effective(compiled, 1, details))


def _executable(
    model: ov.Model, artefact: Artefact, example: Batch, settings: Settings
) -> OpenVinoExecutable:
    properties = _properties(settings)
    compiled = _compiled(model, properties)

    def with_counters() -> ov.CompiledModel:
        return _compiled(model, {**properties, "PERF_COUNT": True})

    kept = with_counters if settings.profile else None
    return OpenVinoExecutable(compiled, example, settings, digest_line(artefact), kept)


def _compiled(model: ov.Model, properties: Mapping[str, Any]) -> ov.CompiledModel:
    leave_breadcrumb(engine="openvino", phase="compiling")
    # Here and not in `convert`, as models also come from cached exports.
    decompose_group_norms(model)
    until_s = time.monotonic() + CORES_RELEASED_WITHIN_S
    while True:
        try:
            return core().compile_model(model, "CPU", properties)
        except RuntimeError as error:
            if NO_CORES not in str(error) or time.monotonic() > until_s:
                raise
            release_idle_threads()
            time.sleep(0.02)  # the threads of a stage that was closed still end


def _properties(settings: Settings) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "PERFORMANCE_HINT": "THROUGHPUT" if settings.device_iterations > 1 else "LATENCY",
        "INFERENCE_NUM_THREADS": settings.threads or available_cores(),
    }
    if settings.streams is not None:
        properties["NUM_STREAMS"] = settings.streams
    if settings.precision == "32.32":
        properties["INFERENCE_PRECISION_HINT"] = "f32"
    if settings.data == "real" and not settings.cache_images:
        # Pinned compute threads cannot yield their cores to the decoding threads.
        properties["ENABLE_CPU_PINNING"] = False
    return properties


class OpenVinoExecutable:
    """Runs one request in the caller's thread, or keeps several in flight with OpenVINO's own queue."""

    def __init__(
        self,
        compiled: ov.CompiledModel,
        example: Batch,
        settings: Settings,
        details: Mapping[str, str],
        with_counters: Callable[[], ov.CompiledModel] | None = None,
    ) -> None:
        self.compiled: ov.CompiledModel | None = compiled
        self._with_counters = with_counters
        self.effective = _effective(compiled, settings.device_iterations, details)
        self._device_data = settings.data == "synthetic"
        classes = compiled.output(0).shape[-1]
        shape = (settings.device_iterations, settings.micro_batch_size, classes)
        self._call = HostCall(np.zeros(shape, np.float32), np.zeros(settings.device_iterations, np.int64))
        self._tensors = _Tensors()
        self._example = example
        if self.effective.in_flight == 1:
            self._run: Any = _OneRequest(compiled, self._call, self._device_tensor())
        else:
            self._run = _RequestQueue(compiled, self._call, self.effective.in_flight, self._device_tensor())

    def run(self, batches: Sequence[Batch]) -> HostCall:
        tensors = [None] * len(batches) if self._device_data else list(map(self._tensors, batches))
        self._run(tensors)
        return self._call

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        import openvino as ov

        assert self._with_counters is not None
        tensors = [ov.Tensor(batch, shared_memory=True) for batch in batches]
        return profile_requests(self._with_counters(), tensors, host_calls, self.effective.in_flight)

    def close(self) -> None:
        if isinstance(self._run, _RequestQueue):
            self._run.wait()
        self._run = self.compiled = self._with_counters = None
        self._tensors.clear()

    def _device_tensor(self) -> ov.Tensor | None:
        """Data for `--data synthetic`: created once, set on every request once, never handed over again."""
        if not self._device_data:
            return None
        import openvino as ov

        return ov.Tensor(self._example, shared_memory=False)


class _Tensors:
    """The engine reads and writes the caller's arrays in place; the caller passes the same few arrays repeatedly."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Array, ov.Tensor]] = {}

    def __call__(self, array: Array) -> ov.Tensor:
        known = self._known.get(id(array))
        if known is None:
            import openvino as ov

            known = self._known[id(array)] = (array, ov.Tensor(array, shared_memory=True))
        return known[1]

    def clear(self) -> None:
        self._known.clear()


class _OneRequest:
    def __init__(self, compiled: ov.CompiledModel, call: HostCall, device_tensor: ov.Tensor | None) -> None:
        import openvino as ov

        self._request = compiled.create_infer_request()
        self._outputs = [ov.Tensor(output, shared_memory=True) for output in call.outputs]
        self._round_trip_ns = call.round_trip_ns
        if device_tensor is not None:
            self._request.set_input_tensor(device_tensor)

    def __call__(self, tensors: Sequence[ov.Tensor | None]) -> None:
        clock, request, round_trip_ns = time.perf_counter_ns, self._request, self._round_trip_ns
        for index, tensor in enumerate(tensors):
            start_ns = clock()
            request.set_output_tensor(self._outputs[index])
            request.infer(tensor, share_inputs=True, share_outputs=True)
            round_trip_ns[index] = clock() - start_ns


class _RequestQueue:
    def __init__(
        self, compiled: ov.CompiledModel, call: HostCall, in_flight: int, device_tensor: ov.Tensor | None
    ) -> None:
        import openvino as ov

        self._queue = ov.AsyncInferQueue(compiled, in_flight)
        self._start_ns: NDArray[np.int64] = np.zeros(len(call.round_trip_ns), np.int64)
        self._queue.set_callback(_finished(call.outputs, call.round_trip_ns, self._start_ns))
        if device_tensor is not None:
            for request in self._queue:
                request.set_input_tensor(device_tensor)

    def __call__(self, tensors: Sequence[ov.Tensor | None]) -> None:
        clock, queue, start_ns = time.perf_counter_ns, self._queue, self._start_ns
        for index, tensor in enumerate(tensors):
            # Waiting for a free request is not part of the round trip: the input has not been handed over yet.
            queue.get_idle_request_id()
            start_ns[index] = clock()
            queue.start_async(tensor, index, share_inputs=True)
        queue.wait_all()

    def wait(self) -> None:
        """Waits for requests that an interrupted host call left in flight: callbacks need a running interpreter."""
        with suppress(Exception):  # of callbacks; the host call has raised it already
            self._queue.wait_all()


def _finished(
    outputs: Array, round_trip_ns: NDArray[np.int64], start_ns: NDArray[np.int64]
) -> Callable[[ov.InferRequest, int], None]:
    """The callback of a queue. It holds no reference to the queue, which would keep itself alive forever."""

    def finished(request: ov.InferRequest, index: int) -> None:
        outputs[index] = request.get_output_tensor().data
        round_trip_ns[index] = time.perf_counter_ns() - start_ns[index]

    return finished


def _effective(compiled: ov.CompiledModel, most_in_flight: int, details: Mapping[str, str]) -> Effective:
    import openvino as ov

    def read(name: str) -> Any:
        return compiled.get_property(name)

    in_flight = (
        min(int(read("OPTIMAL_NUMBER_OF_INFER_REQUESTS")), most_in_flight) if most_in_flight > 1 else 1
    )
    return Effective(
        engine="openvino",
        version=ov.__version__,
        device=", ".join(read("EXECUTION_DEVICES")),
        dtype={"f32": "float32", "bf16": "bfloat16", "f16": "float16"}[
            read("INFERENCE_PRECISION_HINT").to_string()
        ],
        threads=int(read("INFERENCE_NUM_THREADS")),
        streams=int(read("NUM_STREAMS")),
        in_flight=in_flight,
        details={
            "cpu_pinning": str(read("ENABLE_CPU_PINNING")),
            "hint": str(read("PERFORMANCE_HINT")),
            **details,
        },
    )


class OpenVinoStage:
    """A stage of a pipeline: one request, whose inputs and outputs are the caller's arrays."""

    def __init__(self, compiled: ov.CompiledModel, effective: Effective) -> None:
        self.effective = effective
        self._request: ov.InferRequest | None = compiled.create_infer_request()
        self._tensors = _Tensors()

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        assert self._request is not None
        for index, array in enumerate(inputs):
            self._request.set_input_tensor(index, self._tensors(array))
        for index, array in enumerate(outputs):
            self._request.set_output_tensor(index, self._tensors(array))
        self._request.infer(share_inputs=True, share_outputs=True)

    def close(self) -> None:
        self._request = None
        self._tensors.clear()
        release_idle_threads()


def backend(name: str, device: str) -> Backend:
    """OpenVINO on the CPU, the only device that this suite supports for it."""
    if device not in ("auto", "cpu"):
        raise BackendError(
            f"--device {device}: {name} is supported on the CPU only; give --device cpu, or --backend torch"
        )
    return OpenVinoBackend()
