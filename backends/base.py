"""The contract between the driver and an engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from measurement.settings import Settings

Batch: TypeAlias = "NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32]"
"""One micro-batch on the host: `(micro_batch_size, channels, height, width)`, C-contiguous."""


class BackendError(ValueError):
    """A backend that cannot do what was asked; the message names the flag, the value and the remedy."""


class EngineError(RuntimeError):
    """An engine that failed on a request that is in order, with the engine's own words."""


@contextmanager
def engine_errors(engine: str) -> Iterator[None]:
    """Turns whatever an engine raises inside into an `EngineError` that quotes it.

    Engines share no exception type: RuntimeError, MemoryError and their own are all in use. Our own
    refusals, which are `ValueError`s with a remedy, pass.
    """
    try:
        yield
    except (ValueError, EngineError):
        raise
    except MemoryError as error:
        raise EngineError(
            f"{engine} ran out of memory {error}: lower --micro-batch-size or --device-iterations"
        ) from error
    except Exception as error:
        words = " ".join(str(error).split())
        raise EngineError(f"{engine} failed with {type(error).__name__}: {words[:2000]}") from error


@dataclass(frozen=True)
class Availability:
    """Whether an engine can be used here, and if not, why and what to install."""

    usable: bool
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Effective:
    """What the engine really does, read back from it where it tells."""

    engine: str
    version: str
    device: str
    dtype: str  # "float32", "bfloat16", "float16": what it computes in
    threads: int
    streams: int
    in_flight: int  # micro-batches that the engine works on or queues at once
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HostCall:
    """What one host call gave; both arrays belong to the executable and hold until its next `run`.

    `outputs`: float32 `(device_iterations, micro_batch_size, classes)`.
    `round_trip_ns`: int64 `(device_iterations,)`, input handed over to output readable on the host, or,
    where the device tells only a range, `(3,)`: minimum, maximum and mean (`round_trip_is_range`).
    """

    outputs: NDArray[np.float32]
    round_trip_ns: NDArray[np.int64]
    round_trip_is_range: bool = False


class Executable(Protocol):
    """A compiled model."""

    @property
    def effective(self) -> Effective:
        """The settings that the engine really uses."""

    def run(self, batches: Sequence[Batch]) -> HostCall:
        """One host call: `device_iterations` micro-batches, of the shape and dtype compiled for.

        An executable compiled for `--data synthetic` computes on data that it put on its device
        once, and reads nothing of `batches` but their number.
        """

    def close(self) -> None:
        """Gives threads and memory of the engine back; may be called twice."""


class Backend(Protocol):
    """An engine: one file of this folder, one line of `registry`."""

    @property
    def name(self) -> str:
        """The name that `--backend` takes."""

    @property
    def device_kind(self) -> str:
        """`cpu`, `cuda` or `ipu`: selects the overrides of configs.yml."""

    def available(self) -> Availability:
        """Whether the engine can be used here. Never raises."""

    def check(self, settings: Settings) -> None:
        """Refuses settings that cannot work, with a `BackendError`."""

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> Executable:
        """Builds the executable for micro-batches like `example`.

        `model` takes a tensor of the example's shape and dtype and is in `eval()`, in float32. It is
        the backend's from here on, which may convert it in place.
        Raises `BackendError` where the engine refuses the model.
        """
