"""PopTorch, from the Poplar SDK, on Graphcore IPUs (docs/ipu.md lists the facts about it that are checked here)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.base import (
    Array,
    Availability,
    Backend,
    BackendError,
    Batch,
    Effective,
    HostCall,
    Loader,
    Stage,
)
from backends.breadcrumbs import leave_breadcrumb
from backends.poptorch_device import (
    ipu_name,
    ipus_needed,
    ipus_reserved,
    poptorch_availability,
    poptorch_version,
    refuse_absent_ipus,
)
from backends.poptorch_options import poptorch_options, profiles_here
from measurement.machine import available_cores

if TYPE_CHECKING:
    import poptorch
    import torch

    from measurement.settings import Settings


MOST_IMAGES_AT_A_TIME = 64
"""Images that a decoding worker hands over at a time. With the test double on two cores, four workers decode 574, 514,
369 and 163 images/s if they hand over 64, 16, 4 and 1; one worker decodes 315 in host calls of 256."""


class PoptorchBackend:
    """Runs all replicas and stages in one process (under poprun, those of its instance)."""

    name, device_kind = "poptorch", "ipu"

    def available(self) -> Availability:
        return poptorch_availability()

    def check(self, settings: Settings) -> None:
        refuse_absent_ipus(settings)

    def load(self) -> None:
        import poptorch  # noqa: F401

    def mark_stages(self, layers: Sequence[torch.nn.Module]) -> None:
        import poptorch

        # The layers before the first of them are on IPU 0.
        for ipu, layer in enumerate(layers, start=1):
            poptorch.BeginBlock(layer, ipu_id=ipu)

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> PoptorchExecutable:
        import poptorch

        leave_breadcrumb(engine=self.name, phase="compiling")
        if settings.precision == "16.16":
            model = model.half()
        dtype = next(model.parameters()).dtype
        if settings.num_io_tiles:
            from backends.poptorch_overlap import OverlappedIO

            model = OverlappedIO(model)
        executor = poptorch.inferenceModel(model.eval(), poptorch_options(settings))
        return PoptorchExecutable(executor, dtype, example, settings)

    def compile_stage(self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings) -> Stage:
        raise BackendError("--pipeline-splits: PopTorch splits models itself, so it compiles no single stage")

    def loader(self, dataset: torch.utils.data.Dataset[Any], settings: Settings) -> Loader:
        import poptorch

        at_a_time = _images_at_a_time(settings)
        modes = poptorch.DataLoaderMode
        loader: Loader = poptorch.DataLoader(
            poptorch_options(settings),
            dataset,
            batch_size=settings.micro_batch_size,
            num_workers=settings.dataloader_worker or available_cores(),
            # The dataset is already this instance's share, by the same rule as on other devices.
            auto_distributed_partitioning=False,
            mode=modes.Async if at_a_time is None else modes.AsyncRebatched,
            async_options={"load_indefinitely": True},
            rebatched_worker_size=at_a_time,
        )
        return loader


class PoptorchExecutable:
    """Passes the micro-batches of all replicas as one array, in one call."""

    def __init__(
        self, executor: poptorch.PoplarExecutor, dtype: torch.dtype, example: Batch, settings: Settings
    ) -> None:
        import torch

        self._executor, self._dtype, self._settings = executor, dtype, settings
        self._device, self._closed = ipu_name(settings), False
        # The system allocates zeroed memory only when it is written, so compiling for a host call takes none.
        shape = (settings.samples_per_host_call, *example.shape[1:])
        placeholder = torch.zeros(shape, dtype=torch.from_numpy(example[:1]).dtype)
        executor.compile(placeholder)
        self._device_data = placeholder if settings.data == "synthetic" else None
        self._round_trip_ns: NDArray[np.int64] = np.zeros(3, np.int64)

    @property
    def effective(self) -> Effective:
        """The settings in effect; `dtype` is that of the weights until there are outputs, then that of the outputs."""
        settings = self._settings
        return Effective(
            engine="poptorch",
            version=poptorch_version(),
            device=self._device,
            dtype=str(self._dtype).removeprefix("torch."),
            threads=None,
            streams=None,
            in_flight=settings.micro_batches_per_host_call,
            details={
                "partials": "float16" if settings.half_partial else "float32",
                "execution": "sharded" if settings.num_io_tiles else "pipelined",
                "latency_source": "host call's time per micro-batch (PopTorch reports none for synthetic data)"
                if self._device_data is not None
                else "PopTorch's getLatency",
                **self._reserved(),
                **self._report(),
            },
        )

    def run(self, batches: Sequence[Batch]) -> HostCall:
        import torch

        start_ns = time.perf_counter_ns()
        pixels = self._device_data
        if pixels is None:
            pixels = torch.from_numpy(np.asarray(batches)).flatten(0, 1)
        logits = self._executor(pixels)
        self._dtype = logits.dtype
        if self._device_data is None:
            np.multiply(self._executor.getLatency(), 1e9, out=self._round_trip_ns, casting="unsafe")
        else:
            self._round_trip_ns[:] = self._time_of_micro_batch(time.perf_counter_ns() - start_ns)
            logits = logits[:0]  # the device returned nothing
        by_micro_batch = logits.view(-1, self._settings.micro_batch_size, logits.shape[-1])
        return HostCall(by_micro_batch.numpy(), self._round_trip_ns, round_trip_is_range=True)

    def close(self) -> None:
        if not self._closed:
            self._executor.destroy()
        self._closed = True

    def _reserved(self) -> dict[str, str]:
        needed, reserved = ipus_needed(self._settings), ipus_reserved(self._settings)
        if reserved == needed:
            return {}
        return {"ipus_reserved": f"{reserved} (a power of two: {reserved - needed} idle)"}

    def _report(self) -> dict[str, str]:
        if not profiles_here(self._settings):
            return {}
        return {
            "profile": f"{self._settings.profile_path} (Poplar's report, for the PopVision Graph Analyser)"
        }

    def _time_of_micro_batch(self, host_call_ns: int) -> int:
        """With n micro-batches in a pipeline of s stages, each takes s of the n + s - 1 steps of a host call."""
        stages = 1 if self._settings.num_io_tiles else self._settings.stages
        return host_call_ns * stages // (self._settings.device_iterations + stages - 1)


def _images_at_a_time(settings: Settings) -> int | None:
    """The images that a worker decodes at a time; None: a whole host call, which is all that PopTorch allows for one.

    Of large host calls, each worker would hold several gigabytes, and the first one would be decoded by one worker.
    """
    images = settings.samples_per_host_call
    at_a_time = settings.dataloader_rebatch_size or min(MOST_IMAGES_AT_A_TIME, images)
    return at_a_time if at_a_time < images else None


def backend(name: str, device: str) -> Backend:
    """PopTorch, on IPUs only."""
    if device not in ("auto", "ipu"):
        raise BackendError(
            f"--device {device}: {name} runs on IPUs only; leave --device out, or give another backend"
        )
    return PoptorchBackend()
