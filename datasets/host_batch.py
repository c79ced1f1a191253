"""The contract of all sources of images, and the input of one host call."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from datasets.errors import MemoryShortage

NO_LABEL = -1
ALIGNMENT = 64

Array = NDArray[Any]


@dataclass(frozen=True)
class HostBatch:
    """The input of one host call.

    `micro_batches` are `device_iterations` read-only arrays `(micro_batch_size, channels, H, W)`, which may all be the
    same object. It may be a single array with one more dimension (`in_one_block`), for engines that take a host call as
    one array. `labels` is `(device_iterations, micro_batch_size)`, with -1 for an image without a label, or None if no
    image has one. `decode_wait_ns` is the time that `next()` waited for images.
    """

    micro_batches: Sequence[Array]
    labels: NDArray[np.int64] | None
    decode_wait_ns: int


def in_one_block(pixels: Array) -> Sequence[Array]:
    """The array itself, typed as a sequence."""
    return cast("Sequence[Array]", pixels)


class Source(Protocol):
    """An endless source of host calls. Close it, or use it in a `with` statement.

    `decode_errors` counts the images that could not be decoded during the run and were replaced. `works_ahead`: images
    are decoded at any time, also between two calls of `next()`.
    """

    decode_errors: int

    @property
    def works_ahead(self) -> bool: ...

    def next(self) -> HostBatch:
        """Returns the next host call. Its arrays are valid until the next call of `next()` or `close()`.

        Raises `DataError` if no image is left that can be decoded.
        """

    def close(self) -> None:
        """Stops all workers; may be called twice."""

    def __enter__(self) -> "Source": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Repeating:
    """A source that repeats a few host calls, all prepared in advance."""

    works_ahead = False

    def __init__(self, calls: tuple[HostBatch, ...], decode_errors: int = 0) -> None:
        self.decode_errors = decode_errors
        self._calls = calls
        self._turn = 0

    def next(self) -> HostBatch:
        call = self._calls[self._turn]
        self._turn = (self._turn + 1) % len(self._calls)
        return call

    def close(self) -> None:
        """Nothing to stop; the arrays are freed with the source."""

    def __enter__(self) -> "Repeating":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any], *, purpose: str, remedy: str) -> Array:
    """Returns a zeroed array. Raises `MemoryShortage`, with its size, if it does not fit into the free memory.

    It starts on a 64-byte boundary, so that engines can use it without a copy, and its pages are allocated at once, so
    that no page fault falls into the measured time.
    """
    size = math.prod(shape) * dtype.itemsize
    free = _available_bytes()
    if free is not None and size > free:
        raise MemoryShortage(
            f"{purpose} need {size / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free: {remedy}"
        )
    try:
        memory = np.empty(size + ALIGNMENT, np.uint8)
    except MemoryError as error:  # a limit below the free memory, such as ulimit -v
        raise MemoryShortage(
            f"{purpose} need {size / 2**30:.1f} GiB of memory, which the system refuses: {remedy}"
        ) from error
    first = -memory.ctypes.data % ALIGNMENT
    memory.fill(0)
    return memory[first : first + size].view(dtype).reshape(shape)


def _available_bytes() -> int | None:
    """The memory that can be used without swapping; None if the system does not report it."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as meminfo:
            for line in meminfo:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
