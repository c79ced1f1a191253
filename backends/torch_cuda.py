"""PyTorch on CUDA: several micro-batches in flight, whose copies and computation overlap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backends.base import Batch, Effective, HostCall
from backends.profiling.profile import Profile
from backends.profiling.torch import profile_model

if TYPE_CHECKING:
    import torch

    from measurement.settings import Settings

IN_FLIGHT = 3
"""One micro-batch is copied to the device, one is computed and one is copied back."""

WARMUP_CALLS = 3
"""Before a CUDA graph is captured; inductor compiles and cuDNN chooses its algorithms in the first."""

Model = Callable[["torch.Tensor"], "torch.Tensor"]


class CudaExecutable:
    """Captures the model once per slot as a CUDA graph, and keeps one micro-batch per slot in flight.

    The host waits for the device only where all slots are in use, and once at the end of a host call. The round trip
    of a micro-batch begins when the host submits it, and ends when its outputs are on the host.
    """

    def __init__(
        self,
        model: Model,
        dtype: torch.dtype,
        effective: Callable[..., Effective],
        example: Batch,
        settings: Settings,
    ) -> None:
        import torch

        torch.backends.cudnn.benchmark = True  # shapes are static
        self.model, self._dtype, self._example = model, dtype, example
        self._copies = settings.data != "synthetic"
        self._streams = _Streams()
        slots = min(IN_FLIGHT, settings.device_iterations)
        self._slots = [_Slot(self.compute, example, self._streams.compute) for _ in range(slots)]
        logits = self._slots[0].logits
        shape = (settings.device_iterations, settings.micro_batch_size, logits.shape[-1])
        self._outputs = torch.empty(shape, dtype=torch.float32, pin_memory=True)
        round_trip_ns, transfer_ns = np.zeros((2, settings.device_iterations), np.int64)
        self._call = HostCall(self._outputs.numpy(), round_trip_ns, transfer_ns=transfer_ns)
        self._start_ns: NDArray[np.int64] = np.zeros(settings.device_iterations, np.int64)
        self._marks = [_Marks() for _ in range(settings.device_iterations)]
        self._began = torch.cuda.Event(enable_timing=True)
        self._inputs = _PinnedInputs()
        without_graph = next((slot.without_graph for slot in self._slots if slot.without_graph), None)
        self.effective = effective(
            in_flight=slots, details={"cuda_graphs": f"no ({without_graph})" if without_graph else "yes"}
        )

    def run(self, batches: Sequence[Batch]) -> HostCall:
        import torch

        clock, slots, start_ns = time.perf_counter_ns, self._slots, self._start_ns
        self._began.record(self._streams.input)
        began_ns = clock()
        with torch.no_grad():
            for index, batch in enumerate(batches):
                if index >= len(slots):
                    # Waiting for a free slot is not part of the round trip: the input has not been handed over yet.
                    self._finish(index - len(slots), began_ns)
                start_ns[index] = clock()
                self._submit(slots[index % len(slots)], batch, index)
        for index in range(max(0, len(batches) - len(slots)), len(batches)):
            self._finish(index, began_ns)
        return self._call

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        import torch

        def inputs() -> list[torch.Tensor]:
            return [self._computed(torch.from_numpy(batch).to("cuda")) for batch in batches]

        return profile_model(self.model, inputs, host_calls, "cuda")

    def close(self) -> None:
        self._slots.clear()
        self._inputs.release()

    def compute(self, pixels: torch.Tensor) -> torch.Tensor:
        """Float32 logits of `pixels` on the device, in the dtype and layout that they have on the host."""
        return self.model(self._computed(pixels)).float()

    def _computed(self, pixels: torch.Tensor) -> torch.Tensor:
        """`pixels` as the model reads them; 8-bit pixels stay 8-bit, as the model converts them itself."""
        import torch

        dtype = pixels.dtype if pixels.dtype == torch.uint8 else self._dtype
        return pixels.to(dtype, memory_format=torch.channels_last)

    def _submit(self, slot: _Slot, batch: Batch, index: int) -> None:
        import torch

        streams, marks = self._streams, self._marks[index]
        with torch.cuda.stream(streams.input):
            marks.submitted.record()
            if self._copies:
                slot.pixels.copy_(self._inputs.tensor(batch), non_blocking=True)
            marks.copied.record()
        with torch.cuda.stream(streams.compute):
            streams.compute.wait_event(marks.copied)
            slot.run()
            marks.computed.record()
        with torch.cuda.stream(streams.output):
            streams.output.wait_event(marks.computed)
            self._outputs[index].copy_(slot.logits, non_blocking=True)
            marks.returned.record()

    def _finish(self, index: int, began_ns: int) -> None:
        """Waits for the outputs of a micro-batch, and reads its times."""
        marks, call = self._marks[index], self._call
        marks.returned.synchronize()
        if len(self._slots) == 1:
            end_ns = time.perf_counter_ns()
        else:  # later ones may have been submitted since, so the device's clock decides
            end_ns = began_ns + int(self._began.elapsed_time(marks.returned) * 1e6)
        call.round_trip_ns[index] = end_ns - self._start_ns[index]
        if call.transfer_ns is not None and self._copies:
            call.transfer_ns[index] = int(marks.submitted.elapsed_time(marks.copied) * 1e6)


class _Streams:
    """The device's copy engines and its processors work concurrently only on separate streams."""

    def __init__(self) -> None:
        import torch

        self.input, self.compute, self.output = (torch.cuda.Stream() for _ in range(3))


class _Marks:
    """Points in the life of one micro-batch on the device."""

    def __init__(self) -> None:
        import torch

        self.submitted, self.copied, self.returned = (torch.cuda.Event(enable_timing=True) for _ in range(3))
        self.computed = torch.cuda.Event()


class _Slot:
    """Memory of one micro-batch on the device, and the CUDA graph that computes it.

    `pixels`: as on the host. `logits`: float32 `(micro_batch_size, classes)`. `without_graph`: why there is no graph,
    or None.
    """

    def __init__(self, compute: Model, example: Batch, stream: torch.cuda.Stream) -> None:
        import torch

        self.pixels = torch.from_numpy(example).to("cuda")
        self.without_graph: str | None = None
        self._compute = compute
        self._graph: torch.cuda.CUDAGraph | None = torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.no_grad(), torch.cuda.stream(stream):
            for _ in range(WARMUP_CALLS):
                self.logits = compute(self.pixels)
        torch.cuda.synchronize()
        try:
            with torch.no_grad(), torch.cuda.graph(self._graph, stream=stream):
                self.logits = compute(self.pixels)
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            self._graph, self.without_graph = None, str(error).splitlines()[0]
            with torch.no_grad():
                self.logits = compute(self.pixels)
            torch.cuda.synchronize()

    def run(self) -> None:
        """Submits the computation of `logits` from `pixels` to the current stream."""
        if self._graph is not None:
            self._graph.replay()
        else:
            self.logits.copy_(self._compute(self.pixels))


class _PinnedInputs:
    """The caller's arrays, locked in memory in place: only from there does a copy run during the computation.

    A source returns the same few arrays repeatedly, so each is locked once.
    """

    def __init__(self) -> None:
        self._tensors: dict[int, torch.Tensor] = {}
        self._locked: list[int] = []

    def tensor(self, batch: Batch) -> torch.Tensor:
        known = self._tensors.get(id(batch))
        if known is None:
            import torch

            known = self._tensors[id(batch)] = torch.from_numpy(batch)  # which keeps the array alive
            # Refused for an array that shares a page with a locked one; its copies are then staged by the driver.
            if int(torch.cuda.cudart().cudaHostRegister(batch.ctypes.data, batch.nbytes, 0)) == 0:
                self._locked.append(batch.ctypes.data)
        return known

    def release(self) -> None:
        import torch

        for address in self._locked:
            torch.cuda.cudart().cudaHostUnregister(address)
        self._locked.clear()
        self._tensors.clear()
