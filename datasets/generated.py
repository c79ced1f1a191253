"""A source of one generated host batch, returned on every call. Needs neither torch nor torchvision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.errors import MemoryShortage
from datasets.host_batch import HostBatch, Repeating, Source, allocate, in_one_block
from datasets.pixels import Normalization, Pixels, pixel_writer

SEED = 0
GENERATOR = f"blotches, version 1, seed {SEED}"
"""What determines the images that a run generates. A change that changes them needs a new version."""


def generated(
    *,
    image_size: int,
    channels: int = 3,
    micro_batch_size: int,
    device_iterations: int,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
    one_block: bool = False,
    seed: int = SEED,
) -> Source:
    """Returns a source of images made of random blotches, converted as real images would be.

    All micro-batches of a host call are the same array, so memory does not grow with `device_iterations`; with
    `one_block` they are copies of it in one array.
    The same seed gives the same pixels. Raises `DataError` if this does not fit into memory.
    """
    write = pixel_writer(image_size, dtype, normalize)
    copies = device_iterations if one_block else 1
    block = allocate(
        (copies, micro_batch_size, channels, image_size, image_size),
        np.dtype(dtype),
        purpose=f"{copies * micro_batch_size} generated images",
        remedy="lower --micro-batch-size" + " or --device-iterations, or use --eight-bit-io" * one_block,
    )
    micro_batch = block[0]
    random = np.random.default_rng(seed)
    for place in micro_batch:
        write(_blotches(random, image_size), place[:3])
    block[1:] = micro_batch
    try:
        micro_batches = in_one_block(block) if one_block else (micro_batch,) * device_iterations
    except (MemoryError, OverflowError) as error:
        raise MemoryShortage(
            f"--device-iterations {device_iterations}: the list of micro-batches alone needs "
            f"{device_iterations * 8 / 2**30:.0f} GiB: give fewer"
        ) from error
    return Repeating((HostBatch(micro_batches, labels=None, decode_wait_ns=0),))


def _blotches(random: np.random.Generator, image_size: int) -> Pixels:
    """Pixels `(3, image_size, image_size)`: as in real images, smooth at large scales and grainy at small ones."""
    colours = random.uniform(16, 240, (3, 8, 8)).astype(np.float32)
    between = _interpolation(len(colours[0]), image_size)
    smooth = between @ colours @ between.T
    grain = random.integers(-12, 13, smooth.shape)
    pixels: Pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    return pixels


def _interpolation(known: int, needed: int) -> NDArray[np.float32]:
    """The matrix `(needed, known)` that interpolates `known` values linearly to `needed` ones."""
    places = np.clip((np.arange(needed) + 0.5) * known / needed - 0.5, 0, known - 1)
    distances = np.abs(places[:, None] - np.arange(known))
    weights: NDArray[np.float32] = np.maximum(0, 1 - distances).astype(np.float32)
    return weights
