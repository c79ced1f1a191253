"""PyTorch, eager, on the CPU: the reference that the other engines are compared with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from backends.base import Availability, Batch, Effective, HostCall
from measurement.machine import available_cores, has_native_bfloat16

if TYPE_CHECKING:
    import torch

    from measurement.settings import Settings


class TorchBackend:
    name = "torch"
    device_kind = "cpu"

    def available(self) -> Availability:
        if find_spec("torch") is None:
            return Availability(False, "the package torch is not installed", "pip install torch")
        return Availability(True)

    def check(self, settings: Settings) -> None:
        """Runs every combination of the settings."""

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> TorchExecutable:
        import torch

        torch.set_num_threads(settings.threads or available_cores())
        dtype = torch.bfloat16 if settings.precision == "16.16" and has_native_bfloat16() else torch.float32
        return TorchExecutable(
            model.to(dtype).to(memory_format=torch.channels_last), dtype, example, settings
        )


class TorchExecutable:
    """Micro-batches one after the other in the caller's thread."""

    def __init__(
        self, model: torch.nn.Module, dtype: torch.dtype, example: Batch, settings: Settings
    ) -> None:
        import torch

        self.model, self._dtype = model, dtype
        self._device_data = self._on_device(example) if settings.data == "synthetic" else None
        with torch.inference_mode():
            classes = model(self._on_device(example)).shape[-1]
        shape = (settings.device_iterations, settings.micro_batch_size, classes)
        self._call = HostCall(np.zeros(shape, np.float32), np.zeros(settings.device_iterations, np.int64))
        self._outputs = [torch.from_numpy(output) for output in self._call.outputs]
        self.effective = Effective(
            engine="torch",
            version=torch.__version__,
            device="CPU",
            dtype=str(next(model.parameters()).dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            streams=1,
            in_flight=1,
            details={"memory_format": "channels_last"},
        )

    def run(self, batches: Sequence[Batch]) -> HostCall:
        import torch

        clock, round_trip_ns = time.perf_counter_ns, self._call.round_trip_ns
        with torch.inference_mode():
            for slot, batch in enumerate(batches):
                start_ns = clock()
                pixels = self._on_device(batch) if self._device_data is None else self._device_data
                self._outputs[slot].copy_(self.model(pixels))
                round_trip_ns[slot] = clock() - start_ns
        return self._call

    def close(self) -> None:
        """Nothing outlives the object."""

    def _on_device(self, batch: Batch) -> torch.Tensor:
        import torch

        pixels = torch.from_numpy(batch)
        # 8-bit pixels stay so: the model itself turns them into numbers of its own dtype.
        dtype = pixels.dtype if pixels.dtype == torch.uint8 else self._dtype
        return pixels.to(dtype, memory_format=torch.channels_last)


BACKEND = TorchBackend()
