"""The contract between the driver and an engine."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from backends.profiling.profile import Profile
    from measurement.settings import Settings

Batch: TypeAlias = "NDArray[np.uint8] | NDArray[np.float16] | NDArray[np.float32]"
"""One micro-batch on the host: `(micro_batch_size, channels, height, width)`, C-contiguous."""

Array: TypeAlias = "NDArray[Any]"
"""A value passed from one stage of a pipeline to the next, on the host and C-contiguous."""

Artefact: TypeAlias = "Mapping[str, bytes]"
"""An exported model as a model cache stores it: the content of each of its files, by name."""


class BackendError(ValueError):
    """A request that a backend cannot fulfil; the message names the flag, the value and the remedy."""


class EngineError(RuntimeError):
    """An engine that failed on a valid request; the message quotes the engine's own."""


class OutOfMemory(EngineError):
    """Memory ran out while the configuration `settings` was compiled or run."""

    def __init__(self, message: str, settings: Settings) -> None:
        super().__init__(message)
        self.settings = settings


OUT_OF_MEMORY = (
    "bad_alloc",
    "out of memory",
    "allocate memory",
    "failed to allocate",
    "bad allocation",
    "failed to map segment",  # of a library that is loaded on first use
)
"""Parts of the engines' messages, in lower case; only some engines raise MemoryError."""


@contextmanager
def engine_errors(
    settings: Settings,
    micro_batch_bytes: int,
    engine: str = "",
    unwrapped: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Converts any exception of `engine` (default: the backend's) into an `EngineError` that quotes it.

    If memory ran out, raises `OutOfMemory`, with the least memory that a micro-batch takes.

    Engines share no exception type: they raise RuntimeError, MemoryError and their own. Our own refusals, which are
    `ValueError`s with a remedy, pass through; so does BrokenPipeError, when the reader of our output has gone.

    Args:
        unwrapped: Errors of files or of other processes, which pass through unless an engine raised them.
    """
    engine = engine or settings.backend
    try:
        yield
    except (ValueError, EngineError, BrokenPipeError):
        raise
    except Exception as error:
        if isinstance(error, unwrapped) and not _raised_by_an_engine(error):
            raise
        message = _message(error)
        if _ran_out_of_memory(error):
            raise OutOfMemory(
                f"{engine} ran out of memory: a micro-batch of {settings.micro_batch_size} images takes "
                f"{micro_batch_bytes / 2**20:.0f} MiB for its pixels alone, and many times that for its layers; "
                f"{_to_save_memory(settings)} (its message: {message})",
                settings,
            ) from error
        raise EngineError(f"{engine} failed with {type(error).__name__}: {message}") from error


def _to_save_memory(settings: Settings) -> str:
    options = {
        "--micro-batch-size": settings.micro_batch_size,
        "--device-iterations": settings.device_iterations,
    }
    high = [flag for flag, value in options.items() if value > 1]
    return f"lower {' or '.join(high)}" if high else "free memory, or raise the limit on it (ulimit -v)"


def _raised_by_an_engine(error: BaseException) -> bool:
    """Whether the traceback passes through another file of this folder: only these call engines.

    Checked afterwards, so that nothing stands between the timed loop and the engine.
    """
    modules = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)}
    return any(name.startswith("backends.") for name in modules - {__name__})


def _message(error: BaseException) -> str:
    return " ".join(str(error).split())[:2000] or type(error).__name__


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether this error or one of its causes is a lack of memory: exporters wrap the errors that stop them."""
    while error is not None:
        message = str(error).lower()
        if isinstance(error, MemoryError) or any(part in message for part in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def refuse_streams(backend: str, settings: Settings) -> None:
    """Raises `BackendError` if streams are requested of an engine that computes micro-batches sequentially."""
    if settings.streams not in (None, 1):
        raise BackendError(
            f"--streams {settings.streams}: {backend} computes one micro-batch at a time; "
            f"use --replicas {settings.streams} to compute as many concurrently, or --backend openvino"
        )


@dataclass(frozen=True)
class Availability:
    """Whether an engine is usable on this machine, and if not, the reason and what to install.

    `device_absent`: the engine itself is usable, but its device is missing, so `auto` passes over it, unless it was
    asked for that device.
    """

    usable: bool
    reason: str = ""
    remedy: str = ""
    device_absent: bool = False


@dataclass(frozen=True)
class Effective:
    """The settings in effect, read back from the engine where possible.

    `threads` and `streams` are None if the engine's device has none.
    """

    engine: str
    version: str
    device: str
    dtype: str  # "float32", "bfloat16", "float16": the type that it computes in
    threads: int | None
    streams: int | None
    in_flight: int  # micro-batches that the engine computes or queues at once
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HostCall:
    """The result of one host call; its arrays belong to the executable and are valid until its next `run`.

    `outputs`: float32, or float16 if the engine returns that, `(device_iterations, micro_batch_size, classes)`;
    empty along its first axis if the device returns nothing (an IPU with `--data synthetic`).
    `round_trip_ns`: int64 `(device_iterations,)`, from handing over the input until the output is readable on the
    host. If the device reports only a range, `(3,)`: minimum, maximum and mean (`round_trip_is_range`).
    `transfer_ns`: int64 `(device_iterations,)`, the part of each round trip that copies the input to the engine's
    device; None if the engine reads the caller's arrays in place.
    """

    outputs: NDArray[np.float32] | NDArray[np.float16]
    round_trip_ns: NDArray[np.int64]
    round_trip_is_range: bool = False
    transfer_ns: NDArray[np.int64] | None = None


class Executable(Protocol):
    """A compiled model."""

    @property
    def effective(self) -> Effective:
        """The settings in effect."""

    def run(self, batches: Sequence[Batch]) -> HostCall:
        """Runs one host call: `device_iterations` micro-batches, of the shape and dtype compiled for.

        An executable compiled for `--data synthetic` computes on data that it put on its device once, and reads only
        the number of `batches`.
        """

    def close(self) -> None:
        """Releases threads and memory of the engine; may be called twice."""


class Stage(Protocol):
    """A compiled part of a model: several values in, several out. It belongs to one thread."""

    @property
    def effective(self) -> Effective:
        """The settings in effect."""

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Computes one micro-batch from `inputs` into `outputs`, in the order of the module's values.

        Shapes and dtypes are those compiled for. The same few arrays are passed repeatedly, so an engine may cache
        what it needs to read and write them in place.
        """

    def close(self) -> None:
        """Releases threads and memory of the engine; may be called twice."""


class Backend(Protocol):
    """An engine: one file in this folder, one line in `registry`."""

    @property
    def name(self) -> str:
        """The name that `--backend` takes."""

    @property
    def device_kind(self) -> str:
        """`cpu`, `cuda` or `ipu`: selects the overrides of configs.yml."""

    def available(self) -> Availability:
        """Whether the engine is usable on this machine. Never raises."""

    def check(self, settings: Settings) -> None:
        """Raises `BackendError` for settings that cannot work."""

    def load(self) -> None:
        """Imports the engine and starts what lives as long as the process.

        To be called in the main thread before anything is compiled, as engines bind what they start to the thread
        that starts it; may be called again.
        """

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> Executable:
        """Builds the executable for micro-batches like `example`.

        `model` takes a tensor of the example's shape and dtype and is in `eval()` mode, in float32. The backend owns
        it from here on, and may convert it in place.
        Raises `BackendError` if the engine refuses the model.
        """

    def compile_stage(self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings) -> Stage:
        """Builds one stage of a pipeline for inputs like `examples`, in the thread that will run it.

        `stage` takes these as positional arguments and returns one tensor or a tuple of them. Without
        `settings.threads`, the stage uses the cores that the calling thread may use.
        """


@runtime_checkable
class KeepingBackend(Backend, Protocol):
    """A backend whose exported models can be cached, so that a later process need not export again."""

    @property
    def artefact_settings(self) -> tuple[str, ...]:
        """Settings of `NOT_IN_THE_MODEL` that this backend's artefacts depend on nevertheless."""

    def compile_and_keep(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> tuple[Executable, Artefact]:
        """The executable of `compile`, and the artefact that `restore` needs."""

    def restore(
        self, artefact: Artefact, build: Callable[[], torch.nn.Module], example: Batch, settings: Settings
    ) -> Executable:
        """The executable that `compile_and_keep` returned for the same settings, with identical outputs.

        `build` builds the model again, for engines that cache compiled code without the weights.
        """


class Loader(Protocol):
    """An engine's own loader: an iterable of host calls, each item's values concatenated."""

    def __iter__(self) -> Iterator[Sequence[torch.Tensor]]: ...

    def terminate(self) -> None:
        """Stops its workers."""


@runtime_checkable
class AutonomousBackend(Backend, Protocol):
    """An engine that replicates, splits, caches and feeds models itself, on its own devices.

    In one host call its executables take the micro-batches of all replicas, `device_iterations` of each, preferably as
    one array. The driver starts no replicas, splits no model and caches no artefacts for it.
    """

    def mark_stages(self, layers: Sequence[torch.nn.Module]) -> None:
        """Starts a pipeline stage, in place, at each of `layers`, which belong to the model compiled next."""

    def loader(self, dataset: torch.utils.data.Dataset[Any], settings: Settings) -> Loader:
        """Loads `dataset` in host calls, in order, with worker processes. No run reaches its end."""


@runtime_checkable
class ProfilingExecutable(Executable, Protocol):
    """An executable that can report the time of each layer, if it was compiled with `settings.profile`."""

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        """Runs `host_calls` host calls under the engine's own profiler, after one that is not profiled.

        Profiling takes time, so these host calls are not a measurement.
        """
