"""ONNX Runtime's CPU provider: micro-batches one after the other, bound in place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from backends.base import Availability, Batch, Effective, HostCall
from backends.onnx_export import export_onnx
from measurement.machine import available_cores

if TYPE_CHECKING:
    import onnxruntime as ort
    import torch

    from measurement.settings import Settings

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeBackend:
    name = "onnxruntime"
    device_kind = "cpu"

    def available(self) -> Availability:
        missing = [package for package in ("onnxruntime", "onnx", "onnxscript") if find_spec(package) is None]
        if missing:
            return Availability(
                False, f"not installed: {', '.join(missing)}", f"pip install {' '.join(missing)}"
            )
        return Availability(True)

    def check(self, settings: Settings) -> None:
        """Runs every combination of the settings."""

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> OnnxRuntimeExecutable:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = settings.threads or available_cores()
        options.log_severity_level = 3  # errors; its warnings about constant folding are no news to a reader
        if settings.data == "real" and not settings.cache_images:
            # Idle compute threads would spin on the cores that the decoding threads need.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = ort.InferenceSession(export_onnx(model, example), options, providers=[PROVIDER])
        return OnnxRuntimeExecutable(session, example, settings)


class OnnxRuntimeExecutable:
    """Inputs are read from the caller's arrays and outputs written to ours, without a copy."""

    def __init__(self, session: ort.InferenceSession, example: Batch, settings: Settings) -> None:
        import onnxruntime as ort

        threads = session.get_session_options().intra_op_num_threads
        self.effective = Effective(
            "onnxruntime", ort.__version__, f"CPU ({session.get_providers()[0]})", "float32", threads, 1, 1
        )
        self.session: ort.InferenceSession | None = session
        self._input, self._output = session.get_inputs()[0].name, session.get_outputs()[0]
        classes = int(self._output.shape[-1])
        shape = (settings.device_iterations, settings.micro_batch_size, classes)
        self._call = HostCall(np.zeros(shape, np.float32), np.zeros(settings.device_iterations, np.int64))
        self._bindings: dict[tuple[int, int], tuple[Batch, ort.IOBinding]] = {}
        # Nothing is handed over for synthetic data: every slot stays bound to an array made here.
        self._device_data = (
            [example.copy()] * settings.device_iterations if settings.data == "synthetic" else None
        )

    def run(self, batches: Sequence[Batch]) -> HostCall:
        assert self.session is not None
        clock, round_trip_ns = time.perf_counter_ns, self._call.round_trip_ns
        run, bindings = self.session.run_with_iobinding, self._bindings
        for slot, batch in enumerate(self._device_data or batches):
            start_ns = clock()
            bound = bindings.get((slot, id(batch))) or self._bind(slot, batch)
            run(bound[1])
            round_trip_ns[slot] = clock() - start_ns
        return self._call

    def close(self) -> None:
        self._bindings.clear()
        self.session = None

    def _bind(self, slot: int, batch: Batch) -> tuple[Batch, ort.IOBinding]:
        import onnxruntime as ort

        assert self.session is not None
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self._input, ort.OrtValue.ortvalue_from_numpy(batch))
        output = self._call.outputs[slot]
        binding.bind_output(self._output.name, "cpu", 0, np.float32, output.shape, output.ctypes.data)
        self._bindings[slot, id(batch)] = (batch, binding)
        return batch, binding


BACKEND = OnnxRuntimeBackend()
