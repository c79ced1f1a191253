"""Photographs, decoded once, in system shared memory: clients and server read them in place."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import prod
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from driver.data import open_source, pixel_dtype
from serving.errors import NoAnswer, ServingError, ServingRefused
from serving.own_folder import SHARED_MEMORY
from serving.server import POLL_S, Server

if TYPE_CHECKING:
    from datasets.images import ImageSet
    from serving.served_model import ServedModel

LARGEST_BATCHES, FEWEST_IMAGES = 8, 64
"""How many images of a large folder are used: more would not change the measurement, but take memory."""

RELEASE_S = 30.0
"""How long the server may still compute requests of failed clients, and read their images."""


@dataclass(frozen=True)
class Region:
    """The location of the images `(images, channels, height, width)`; plain values, for client processes."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def image_bytes(self) -> int:
        return prod(self.shape[1:]) * np.dtype(self.dtype).itemsize

    def firsts(self, batch: int) -> range:
        """The first images of consecutive whole batches of this size."""
        return range(0, self.shape[0] - batch + 1, batch)


def used_images(served: ServedModel, images: ImageSet) -> ImageSet:
    """The first images, as many as requests to the model use."""
    most = max(LARGEST_BATCHES * served.settings.micro_batch_size, FEWEST_IMAGES)
    return replace(images, paths=images.paths[:most], labels=images.labels[:most])


@contextmanager
def shared_images(served: ServedModel, images: ImageSet) -> Iterator[Region]:
    """Decodes the first images for the model, repeated up to a multiple of its largest batch.

    Raises `ServingRefused` if they do not fit into shared memory.
    """
    images, largest = used_images(served, images), served.settings.micro_batch_size
    batches = -(-len(images.paths) // largest)
    shape, dtype = (batches * largest, *served.image_shape), pixel_dtype(served.settings)
    memory = SharedMemory(create=True, size=prod(shape) * dtype.itemsize)
    try:
        _allocate(memory)
        pixels = _array(memory, shape, dtype)
        decoded = replace(served.settings, data="real", cache_images=True)
        with open_source(decoded, served.pixels, images, "random") as source:
            for batch in range(batches):
                pixels[batch * largest : (batch + 1) * largest] = source.next().micro_batches[0]
        del pixels
        yield Region(memory.name, shape, dtype.name)
    finally:
        memory.close()
        memory.unlink()


@contextmanager
def registered(server: Server, region: Region) -> Iterator[None]:
    """Registers the region with the server, under its own name. Raises `ServingError`."""
    size = region.shape[0] * region.image_bytes
    server.ask(server.control.register_system_shared_memory, region.name, f"/{region.name}", size)
    try:
        yield
    finally:
        with suppress(NoAnswer):  # the server is gone
            _unregister(server, region)


@contextmanager
def attached(region: Region) -> Iterator[NDArray[Any]]:
    """The images of the region `(images, channels, height, width)`, read-only; valid inside the block."""
    memory = SharedMemory(name=region.name)
    pixels = _array(memory, region.shape, np.dtype(region.dtype))
    pixels.flags.writeable = False
    try:
        yield pixels
    finally:
        del pixels
        with suppress(BufferError):  # the caller still holds a view: the memory is freed with the process
            memory.close()


def _unregister(server: Server, region: Region) -> None:
    """Retries, as the server still holds the region for a moment after its last answer, and then refuses."""
    until_s = time.monotonic() + RELEASE_S
    while True:
        try:
            server.ask(server.control.unregister_system_shared_memory, region.name)
            return
        except NoAnswer:
            raise
        except ServingError:
            if time.monotonic() > until_s:
                raise
        time.sleep(POLL_S)


def _allocate(memory: SharedMemory) -> None:
    """Allocates the memory now: without enough of it, writing would kill the process without a message."""
    try:
        with (SHARED_MEMORY / memory.name).open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, memory.size)
    except OSError as error:
        raise ServingRefused(
            f"{SHARED_MEMORY} has no room for {memory.size / 2**20:.0f} MiB of images "
            f"({error.strerror or error}): make it larger (in a container: --shm-size), or give a folder with fewer "
            "images with --images"
        ) from None


def _array(memory: SharedMemory, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    array: NDArray[Any] = np.ndarray(shape, dtype, buffer=memory.buf)
    return array
