"""PyTorch, eager or compiled by inductor, on the CPU or on CUDA."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from backends.base import Array, Artefact, Availability, Backend, Batch, Effective, HostCall, refuse_streams
from backends.breadcrumbs import leave_breadcrumb
from backends.device import compute_dtype, device_name, torch_sees_cuda, without_tf32
from backends.inductor_folder import inductor_folder
from backends.profiling.profile import Profile
from backends.profiling.torch import profile_model
from backends.torch_cuda import CudaExecutable
from measurement.machine import available_cores
from measurement.settings import Settings

if TYPE_CHECKING:
    import torch


class TorchBackend:
    """`name` is `torch` (eager) or `torch-compile` (inductor, with the weights frozen into the code)."""

    def __init__(self, name: str, device_kind: str) -> None:
        self.name, self.device_kind = name, device_kind

    def available(self) -> Availability:
        if find_spec("torch") is None:
            return Availability(False, "the package torch is not installed", "pip install torch")
        if self.device_kind == "cuda" and not torch_sees_cuda():
            return Availability(False, "torch finds no CUDA device", "check nvidia-smi, or give --device cpu")
        return _inductor_on(self.device_kind) if self.name == "torch-compile" else Availability(True)

    def check(self, settings: Settings) -> None:
        refuse_streams(self.name, settings)

    def load(self) -> None:
        import torch  # noqa: F401

    def compile(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> TorchExecutable | CudaExecutable:
        dtype = compute_dtype(self.device_kind, settings.precision)
        run = self._placed(model, dtype, settings)
        if self.device_kind == "cuda":
            return CudaExecutable(
                run, dtype, partial(_effective, self.name, dtype, "cuda"), example, settings
            )
        return TorchExecutable(self.name, run, dtype, example, settings)

    def compile_stage(
        self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings
    ) -> TorchStage:
        dtype = compute_dtype(self.device_kind, settings.precision)
        run = self._placed(stage, dtype, settings)
        return TorchStage(run, dtype, _effective(self.name, dtype, self.device_kind))

    def _placed(
        self, model: torch.nn.Module, dtype: torch.dtype, settings: Settings
    ) -> Callable[..., torch.Tensor]:
        import torch

        leave_breadcrumb(engine=self.name, phase="compiling")
        without_tf32(self.device_kind, settings.precision)
        torch.set_num_threads(settings.threads or available_cores())
        # Channels last is the layout of the engine's own convolutions. Over the 13 models at micro-batches of 1 and 8
        # it is 1.2 times as fast (geometric mean, AVX512-BF16), but up to 17% slower in float32 at micro-batch 1 for
        # the deep resnets and the resnexts.
        placed = model.to(self.device_kind).to(dtype).to(memory_format=torch.channels_last)
        if self.name == "torch-compile":
            return torch.compile(placed, dynamic=False, options={"freezing": True})
        return placed


class TorchCompileBackend(TorchBackend):
    """Caches inductor's machine code; restoring still needs the weights, and so the model."""

    artefact_settings: tuple[str, ...] = ("threads",)  # they are compiled into the code

    def compile_and_keep(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> tuple[TorchExecutable | CudaExecutable, Artefact]:
        with inductor_folder({}) as content:
            return self.compile(model, example, settings), content()

    def restore(
        self, artefact: Artefact, build: Callable[[], torch.nn.Module], example: Batch, settings: Settings
    ) -> TorchExecutable | CudaExecutable:
        with inductor_folder(artefact):
            return self.compile(build(), example, settings)


def _inductor_on(device_kind: str) -> Availability:
    """Whether inductor can compile its code: C++ for a CPU; for CUDA, Triton kernels and C code that launches them."""
    if device_kind == "cpu":
        if not (shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")):
            return Availability(False, "inductor finds no C++ compiler", "apt-get install g++, or set CXX")
        return Availability(True)
    if find_spec("triton") is None:
        return Availability(
            False, "inductor needs the package triton for CUDA", "pip install triton, or give --backend torch"
        )
    # With CC set, Triton uses no other compiler.
    if not any(map(shutil.which, [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"])):
        return Availability(False, "triton finds no C compiler", "apt-get install gcc, or set CC")
    return Availability(True)


def _effective(
    name: str,
    dtype: torch.dtype,
    device: str,
    *,
    in_flight: int = 1,
    details: Mapping[str, str] | None = None,
) -> Effective:
    import torch

    return Effective(
        engine=name,
        version=torch.__version__,
        device=device_name(device),
        dtype=str(dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
        streams=1,
        in_flight=in_flight,
        details={"memory_format": "channels_last", **(details or {})},
    )


class TorchExecutable:
    """Computes one micro-batch at a time on the CPU, in the caller's thread."""

    def __init__(
        self,
        name: str,
        run: Callable[[torch.Tensor], torch.Tensor],
        dtype: torch.dtype,
        example: Batch,
        settings: Settings,
    ) -> None:
        import torch

        self.model, self._dtype = run, dtype
        pixels = self._on_device(example)
        self._device_data = pixels if settings.data == "synthetic" else None
        with torch.no_grad():
            logits = run(pixels)  # inductor compiles in the first call
        shape = (settings.device_iterations, settings.micro_batch_size, logits.shape[-1])
        round_trip_ns, transfer_ns = np.zeros((2, settings.device_iterations), np.int64)
        self._call = HostCall(np.zeros(shape, np.float32), round_trip_ns, transfer_ns=transfer_ns)
        self._outputs = [torch.from_numpy(output) for output in self._call.outputs]
        self.effective = _effective(name, logits.dtype, "cpu")

    def run(self, batches: Sequence[Batch]) -> HostCall:
        import torch

        clock, round_trip_ns, transfer_ns = (
            time.perf_counter_ns,
            self._call.round_trip_ns,
            self._call.transfer_ns,
        )
        assert transfer_ns is not None
        # Not inference_mode: inductor's frozen code supports no_grad only.
        with torch.no_grad():
            for slot, batch in enumerate(batches):
                start_ns = clock()
                pixels = self._on_device(batch) if self._device_data is None else self._device_data
                transfer_ns[slot] = clock() - start_ns
                self._outputs[slot].copy_(self.model(pixels))
                round_trip_ns[slot] = clock() - start_ns
        return self._call

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        def inputs() -> list[torch.Tensor]:
            return [self._on_device(batch) for batch in batches]

        return profile_model(self.model, inputs, host_calls, "cpu")

    def close(self) -> None:
        """Nothing to release."""

    def _on_device(self, batch: Batch) -> torch.Tensor:
        import torch

        pixels = torch.from_numpy(batch)
        # 8-bit pixels stay 8-bit: the model converts them to its own dtype.
        dtype = pixels.dtype if pixels.dtype == torch.uint8 else self._dtype
        return pixels.to(dtype, memory_format=torch.channels_last)


class TorchStage:
    """A stage of a pipeline. Values between stages are float32 on the host, as numpy has no bfloat16; this is exact."""

    def __init__(self, run: Callable[..., object], dtype: torch.dtype, effective: Effective) -> None:
        self.effective = effective
        self._run: Callable[..., object] | None = run
        self._dtype = dtype

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        import torch

        assert self._run is not None
        with torch.no_grad():
            given = self._run(*map(self._on_device, inputs))
            values = given if isinstance(given, tuple) else (given,)
            for array, value in zip(outputs, values, strict=True):
                torch.from_numpy(array).copy_(value)

    def close(self) -> None:
        self._run = None

    def _on_device(self, array: Array) -> torch.Tensor:
        import torch

        value = torch.from_numpy(array)
        layout = torch.channels_last if value.dim() == 4 else torch.preserve_format
        # Integers, such as 8-bit pixels, are left as they are: the model converts them to its own dtype.
        return value.to(self._dtype if value.is_floating_point() else value.dtype, memory_format=layout)


def backend(name: str, device: str) -> Backend:
    """Eager or compiled torch on `device` (`auto`: CUDA if torch finds a device)."""
    if device == "auto":
        device = "cuda" if find_spec("torch") and torch_sees_cuda() else "cpu"
    return TorchCompileBackend(name, device) if name == "torch-compile" else TorchBackend(name, device)
