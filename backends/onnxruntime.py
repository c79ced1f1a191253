"""ONNX Runtime on the CPU or on CUDA: one micro-batch at a time, bound in place."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from backends.base import Array, Artefact, Availability, Backend, Batch, Effective, HostCall, refuse_streams
from backends.breadcrumbs import leave_breadcrumb
from backends.device import compute_dtype, device_name, onnxruntime_provider, onnxruntime_sees_cuda
from backends.graph_digest import PART, digest_line, onnx_digest
from backends.onnx_export import export_onnx, in_dtype
from backends.profiling.onnxruntime import read_profile
from backends.profiling.profile import Profile
from measurement.machine import available_cores
from measurement.settings import Settings

if TYPE_CHECKING:
    import onnxruntime as ort
    import torch

ONNX_FILE = "model.onnx"


class OnnxRuntimeBackend:
    name = "onnxruntime"
    artefact_settings: tuple[str, ...] = ()

    def __init__(self, device_kind: str) -> None:
        self.device_kind = device_kind

    def available(self) -> Availability:
        missing = [package for package in ("onnxruntime", "onnx", "onnxscript") if find_spec(package) is None]
        if missing:
            return Availability(
                False, f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}"
            )
        if self.device_kind == "cuda" and not onnxruntime_sees_cuda():
            return Availability(
                False,
                "no CUDA provider or no CUDA device",
                "pip install onnxruntime-gpu instead of onnxruntime and check nvidia-smi, or give --device cpu",
            )
        return Availability(True)

    def check(self, settings: Settings) -> None:
        refuse_streams(self.name, settings)

    def load(self) -> None:
        import onnxruntime as ort

        ort.disable_telemetry_events()

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> OnnxRuntimeExecutable:
        return self.compile_and_keep(model, example, settings)[0]

    def compile_and_keep(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> tuple[OnnxRuntimeExecutable, Artefact]:
        leave_breadcrumb(engine=self.name, phase="converting")
        model = in_dtype(model, _dtype(settings))
        onnx = export_onnx(model, [example], ["pixels"], ["logits"])
        artefact = {ONNX_FILE: onnx, PART: onnx_digest(onnx)}
        return self.restore(artefact, lambda: model, example, settings), artefact

    def restore(
        self, artefact: Artefact, build: Callable[[], torch.nn.Module], example: Batch, settings: Settings
    ) -> OnnxRuntimeExecutable:
        # The exported graph, not the optimised one: a session takes 0.2 s from either (resnet50, efficientnet-b4).
        onnx = artefact[ONNX_FILE]
        kept = onnx if settings.profile else None
        return OnnxRuntimeExecutable(
            _session(onnx, settings), example, settings, kept, details=digest_line(artefact)
        )

    def compile_stage(
        self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings
    ) -> OnnxRuntimeStage:
        onnx = export_onnx(stage, examples)
        session = _session(onnx, settings)
        details = digest_line({PART: onnx_digest(onnx)})
        return OnnxRuntimeStage(session, _effective(session, settings, details))


def _session(onnx: bytes, settings: Settings, profile_prefix: str = "") -> ort.InferenceSession:
    leave_breadcrumb(engine="onnxruntime", phase="compiling")
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads or available_cores()
    options.log_severity_level = 3  # errors; its warnings about constant folding do not help a reader
    if settings.data == "real" and not settings.cache_images:
        # Idle compute threads would spin on the cores that the decoding threads need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if profile_prefix:
        options.enable_profiling, options.profile_file_prefix = True, profile_prefix
    provider = onnxruntime_provider(settings.device, settings.precision)
    return ort.InferenceSession(onnx, options, providers=[provider])


def _dtype(settings: Settings) -> str:
    """float32 on the CPU, whose provider computes 16-bit graphs by casting them; as requested on CUDA."""
    if settings.device == "cpu":
        return "float32"
    return str(compute_dtype(settings.device, settings.precision)).removeprefix("torch.")


def _effective(session: ort.InferenceSession, settings: Settings, details: Mapping[str, str]) -> Effective:
    import onnxruntime as ort

    threads = session.get_session_options().intra_op_num_threads
    device = f"{device_name(settings.device)}, {session.get_providers()[0]}"
    dtype = _dtype(settings)
    return Effective("onnxruntime", ort.__version__, device, dtype, threads, 1, 1, details)


class OnnxRuntimeExecutable:
    """Reads inputs from the caller's arrays and writes outputs to its own, without a copy."""

    def __init__(
        self,
        session: ort.InferenceSession,
        example: Batch,
        settings: Settings,
        onnx: bytes | None = None,
        details: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._onnx, self._example, self._settings = onnx, example, settings
        self.effective = _effective(session, settings, details)
        self._device = settings.device
        self.session: ort.InferenceSession | None = session
        self._input, self._output = session.get_inputs()[0].name, session.get_outputs()[0]
        classes = int(self._output.shape[-1])
        shape = (settings.device_iterations, settings.micro_batch_size, classes)
        round_trip_ns, transfer_ns = np.zeros((2, settings.device_iterations), np.int64)
        copied = settings.device == "cuda"
        self._call = HostCall(
            np.zeros(shape, np.float32), round_trip_ns, transfer_ns=transfer_ns if copied else None
        )
        self._bindings: dict[tuple[int, int], tuple[Batch, ort.IOBinding]] = {}
        # Synthetic data is never handed over: every slot stays bound to an array created here.
        self._device_data = (
            [example.copy()] * settings.device_iterations if settings.data == "synthetic" else None
        )

    def run(self, batches: Sequence[Batch]) -> HostCall:
        assert self.session is not None
        clock, round_trip_ns = time.perf_counter_ns, self._call.round_trip_ns
        run, bindings = self.session.run_with_iobinding, self._bindings
        on_cuda = self._device == "cuda"
        copied = on_cuda and self._device_data is None
        for slot, batch in enumerate(self._device_data or batches):
            start_ns = clock()
            _, binding = bindings.get((slot, id(batch))) or self._bind(slot, batch)
            if copied:  # a binding copies to the device when it is created, not when it runs
                binding.bind_cpu_input(self._input, batch)
                self._call.transfer_ns[slot] = clock() - start_ns  # type: ignore[index]
            run(binding)
            if on_cuda:
                binding.synchronize_outputs()
            round_trip_ns[slot] = clock() - start_ns
        return self._call

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        assert self._onnx is not None
        with TemporaryDirectory() as folder:
            session = _session(self._onnx, self._settings, profile_prefix=str(Path(folder, "profile")))
            with closing(OnnxRuntimeExecutable(session, self._example, self._settings)) as executable:
                for _ in range(1 + host_calls):
                    executable.run(batches)
            events = json.loads(Path(session.end_profiling()).read_bytes())
        return read_profile(events, host_calls * len(batches))

    def close(self) -> None:
        self._bindings.clear()
        self.session = self._onnx = None

    def _bind(self, slot: int, batch: Batch) -> tuple[Batch, ort.IOBinding]:
        import onnxruntime as ort

        assert self.session is not None
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self._input, ort.OrtValue.ortvalue_from_numpy(batch, self._device, 0))
        output = self._call.outputs[slot]
        binding.bind_output(self._output.name, "cpu", 0, np.float32, output.shape, output.ctypes.data)
        self._bindings[slot, id(batch)] = (batch, binding)
        return batch, binding


class OnnxRuntimeStage:
    """A stage of a pipeline, with all inputs and outputs bound to the caller's arrays."""

    def __init__(self, session: ort.InferenceSession, effective: Effective) -> None:
        self.effective = effective
        self._session: ort.InferenceSession | None = session
        self._bindings: dict[tuple[int, ...], tuple[list[Array], ort.IOBinding]] = {}

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        assert self._session is not None
        arrays = [*inputs, *outputs]
        key = tuple(map(id, arrays))
        bound = self._bindings.get(key)
        if bound is None:
            bound = self._bindings[key] = (arrays, self._bind(inputs, outputs))
        self._session.run_with_iobinding(bound[1])

    def close(self) -> None:
        self._bindings.clear()
        self._session = None

    def _bind(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> ort.IOBinding:
        import onnxruntime as ort

        assert self._session is not None
        binding = self._session.io_binding()
        for given, array in zip(self._session.get_inputs(), inputs, strict=True):
            binding.bind_ortvalue_input(given.name, ort.OrtValue.ortvalue_from_numpy(array))
        for returned, array in zip(self._session.get_outputs(), outputs, strict=True):
            binding.bind_output(returned.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return binding


def backend(name: str, device: str) -> Backend:
    """ONNX Runtime on `device` (`auto`: CUDA if its provider and a device are found)."""
    if device == "auto":
        device = "cuda" if find_spec(name) and find_spec("torch") and onnxruntime_sees_cuda() else "cpu"
    return OnnxRuntimeBackend(device)
