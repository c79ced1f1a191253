"""The contract of every source of images: what one host call is fed."""

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

    `micro_batches` are `device_iterations` arrays of shape (micro_batch_size, channels, H, W), which may be
    the same object several times over: read them, never write. It may be a single array with one more
    dimension (`in_one_block`), for engines that take a host call in one piece. `labels` has the shape
    (device_iterations, micro_batch_size), with -1 where an image has none, or is None if no image has one.
    `decode_wait_ns` is the time that `next()` waited for images.
    """

    micro_batches: Sequence[Array]
    labels: NDArray[np.int64] | None
    decode_wait_ns: int


def in_one_block(pixels: Array) -> Sequence[Array]:
    """Return the array itself, which is a sequence in all but its type."""
    return cast("Sequence[Array]", pixels)


class Source(Protocol):
    """Hands out host calls without end. Close it, or use it in a `with` statement.

    `decode_errors` counts the images that could not be decoded during the run and were replaced. `works_ahead`:
    images are decoded at any time, also between two calls of `next()`.
    """

    decode_errors: int

    @property
    def works_ahead(self) -> bool: ...

    def next(self) -> HostBatch:
        """Return the next host call. Its arrays are valid until the next call of `next()` or `close()`.

        Raises DataError if there is not a single image left that can be decoded.
        """

    def close(self) -> None:
        """End all workers; harmless when done twice."""

    def __enter__(self) -> "Source": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Repeating:
    """A source that hands out the same few host calls, all made beforehand, again and again."""

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
        """Nothing runs, so nothing ends; the arrays go when the source goes."""

    def __enter__(self) -> "Repeating":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def allocate(shape: tuple[int, ...], dtype: np.dtype[Any], *, purpose: str, remedy: str) -> Array:
    """Return a zeroed array, or raise MemoryShortage with its size if it does not fit into the free memory.

    It starts on a 64-byte boundary, where engines can use the memory without copying it, and its pages
    are there at once, so that no page fault falls into the measured time.
    """
    size = math.prod(shape) * dtype.itemsize
    free = _available_bytes()
    if free is not None and size > free:
        raise MemoryShortage(
            f"{purpose} need {size / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free: {remedy}"
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
    """Return the memory that can be used without swapping, or None where the system does not tell."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as meminfo:
            for line in meminfo:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None
