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
"""A value that goes from one stage of a pipeline to the next, on the host and C-contiguous."""

Artefact: TypeAlias = "Mapping[str, bytes]"
"""An exported model as it is kept in a model cache: the content of each of its files, by name."""


class BackendError(ValueError):
    """A backend that cannot do what was asked; the message names the flag, the value and the remedy."""


class EngineError(RuntimeError):
    """An engine that failed on a request that is in order, with the engine's own words."""


class OutOfMemory(EngineError):
    """Memory ran out while a configuration was compiled or run; `settings` say which."""

    def __init__(self, message: str, settings: Settings) -> None:
        super().__init__(message)
        self.settings = settings


OUT_OF_MEMORY = (
    "bad_alloc",
    "out of memory",
    "allocate memory",
    "failed to allocate",
    "bad allocation",
    "failed to map segment",  # of a library that is loaded when it is first needed
)
"""How engines say it, in lower case; only some of them raise MemoryError."""


@contextmanager
def engine_errors(
    settings: Settings,
    micro_batch_bytes: int,
    engine: str = "",
    beside: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Turns whatever `engine` (the backend's, if not named) raises inside into an `EngineError` that quotes it.

    Where memory ran out, it is an `OutOfMemory`, which says what a micro-batch takes at least.

    Engines share no exception type: RuntimeError, MemoryError and their own are all in use. Our own
    refusals, which are `ValueError`s with a remedy, pass; so does the end of the reader of our output. So do the
    errors `beside` it, of files or of other processes, unless they come out of an engine.
    """
    engine = engine or settings.backend
    try:
        yield
    except (ValueError, EngineError, BrokenPipeError):
        raise
    except Exception as error:
        if isinstance(error, beside) and not _comes_out_of_an_engine(error):
            raise
        words = _words(error)
        if _ran_out_of_memory(error):
            raise OutOfMemory(
                f"{engine} ran out of memory: a micro-batch of {settings.micro_batch_size} images takes "
                f"{micro_batch_bytes / 2**20:.0f} MiB for its pixels alone, and many times that between its layers; "
                f"lower --micro-batch-size{' or --device-iterations' * (settings.device_iterations > 1)} "
                f"(its words: {words})",
                settings,
            ) from error
        raise EngineError(f"{engine} failed with {type(error).__name__}: {words}") from error


def _comes_out_of_an_engine(error: BaseException) -> bool:
    """Whether it came through a file of this folder, this one aside: nobody else calls engines.

    Asked afterwards, so that nothing stands between the timed loop and the engine.
    """
    modules = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)}
    return any(name.startswith("backends.") for name in modules - {__name__})


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:2000] or type(error).__name__


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether it did here, or in whatever this error came of: exporters wrap what stopped them."""
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in OUT_OF_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False


def refuse_streams(backend: str, settings: Settings) -> None:
    """For engines that compute one micro-batch after the other."""
    if settings.streams not in (None, 1):
        raise BackendError(
            f"--streams {settings.streams}: {backend} computes one micro-batch after the other; "
            f"use --replicas {settings.streams} for as many side by side, or --backend openvino"
        )


@dataclass(frozen=True)
class Availability:
    """Whether an engine can be used here, and if not, why and what to install.

    `device_absent`: the engine itself is usable, but not chosen by `auto`, as its device is not here.
    """

    usable: bool
    reason: str = ""
    remedy: str = ""
    device_absent: bool = False


@dataclass(frozen=True)
class Effective:
    """What the engine really does, read back from it where it tells.

    `threads` and `streams` are None where the engine's device has no such things.
    """

    engine: str
    version: str
    device: str
    dtype: str  # "float32", "bfloat16", "float16": what it computes in
    threads: int | None
    streams: int | None
    in_flight: int  # micro-batches that the engine works on or queues at once
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HostCall:
    """What one host call gave; both arrays belong to the executable and hold until its next `run`.

    `outputs`: float32, or float16 where the engine gives that, `(device_iterations, micro_batch_size, classes)`;
    empty along its first axis where the device hands nothing out (an IPU with `--data synthetic`).
    `round_trip_ns`: int64 `(device_iterations,)`, input handed over to output readable on the host, or,
    where the device tells only a range, `(3,)`: minimum, maximum and mean (`round_trip_is_range`).
    `transfer_ns`: int64 `(device_iterations,)`, the part of each round trip in which the input was brought
    to where the engine computes; None where the engine reads the caller's arrays in place.
    """

    outputs: NDArray[np.float32] | NDArray[np.float16]
    round_trip_ns: NDArray[np.int64]
    round_trip_is_range: bool = False
    transfer_ns: NDArray[np.int64] | None = None


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


class Stage(Protocol):
    """A compiled part of a model: several values in, several out. It belongs to one thread."""

    @property
    def effective(self) -> Effective:
        """The settings that the engine really uses."""

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Computes one micro-batch from `inputs` into `outputs`, in the order of the module's values.

        Shapes and dtypes are those compiled for. The same few arrays come again and again, so what the
        engine needs to read and write them in place may be kept.
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

    def load(self) -> None:
        """Imports the engine and starts what lives as long as the process.

        Called in the main thread before anything is compiled, as engines tie what they start to the thread
        that starts it; may be called again.
        """

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> Executable:
        """Builds the executable for micro-batches like `example`.

        `model` takes a tensor of the example's shape and dtype and is in `eval()`, in float32. It is
        the backend's from here on, which may convert it in place.
        Raises `BackendError` where the engine refuses the model.
        """

    def compile_stage(self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings) -> Stage:
        """Builds one stage of a pipeline for inputs like `examples`, in the thread that will run it.

        `stage` takes these as positional arguments and gives one tensor or a tuple of them. Where
        `settings.threads` is not given, the stage uses the cores that the calling thread may use.
        """


@runtime_checkable
class KeepingBackend(Backend, Protocol):
    """A backend whose exported models can be kept, so that a later process need not export again."""

    @property
    def artefact_settings(self) -> tuple[str, ...]:
        """Settings that say how a model runs, and that this backend's artefacts depend on nevertheless."""

    def compile_and_keep(
        self, model: torch.nn.Module, example: Batch, settings: Settings
    ) -> tuple[Executable, Artefact]:
        """What `compile` gives, and what `restore` needs."""

    def restore(
        self, artefact: Artefact, build: Callable[[], torch.nn.Module], example: Batch, settings: Settings
    ) -> Executable:
        """The executable that `compile_and_keep` gave for the same settings; its outputs are the same.

        `build` makes the model again, for engines that keep compiled code without the weights.
        """


class Loader(Protocol):
    """An engine's own loader: an endless or finite iterable of host calls, each item's values concatenated."""

    def __iter__(self) -> Iterator[Sequence[torch.Tensor]]: ...

    def terminate(self) -> None:
        """Ends its workers."""


@runtime_checkable
class AutonomousBackend(Backend, Protocol):
    """An engine that replicates, cuts, keeps and feeds models by itself, on devices of its own.

    In one host call its executables take the micro-batches of all replicas, `device_iterations` of each, best as one
    array. The driver starts no replica, cuts no model and keeps no artefact for it.
    """

    def mark_stages(self, layers: Sequence[torch.nn.Module]) -> None:
        """Makes a stage of the pipeline begin at each of `layers`, modules of the model compiled next, in place."""

    def loader(self, dataset: torch.utils.data.Dataset[Any], settings: Settings) -> Loader:
        """Loads `dataset` in host calls, in order, by worker processes."""


@runtime_checkable
class ProfilingExecutable(Executable, Protocol):
    """An executable that can tell what each layer costs, if it was compiled with `settings.profile`."""

    def profile(self, batches: Sequence[Batch], host_calls: int) -> Profile:
        """Runs `host_calls` host calls under the engine's own profiler, after one that is not in the profile.

        Profiling costs time, so these host calls are no measurement.
        """
