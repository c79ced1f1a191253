"""One host batch is made up once, and handed over on every call."""

from typing import Any

import numpy as np
import torch

from datasets.host_batch import HostBatch, Repeating, Source, allocate
from datasets.preprocess import Normalization, Pixels, pixel_writer


def generated(
    *,
    image_size: int,
    channels: int = 3,
    micro_batch_size: int,
    device_iterations: int,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
    seed: int = 0,
) -> Source:
    """Return a source of images made of random blotches, converted as photographs would be.

    All micro-batches of a host call are one array, so memory does not grow with `device_iterations`.
    The same seed gives the same pixels. Raises DataError if a micro-batch does not fit into the memory.
    """
    write = pixel_writer(image_size, dtype, normalize)
    micro_batch = allocate(
        (micro_batch_size, channels, image_size, image_size),
        np.dtype(dtype),
        purpose=f"{micro_batch_size} generated images",
        remedy="lower --micro-batch-size",
    )
    random = np.random.default_rng(seed)
    for place in micro_batch:
        write(_blotches(random, image_size), place[:3])
    return Repeating((HostBatch((micro_batch,) * device_iterations, labels=None, decode_wait_ns=0),))


def _blotches(random: np.random.Generator, image_size: int) -> Pixels:
    """Return pixels (3, image_size, image_size): like a photograph, smooth at large and grainy at small."""
    colours = torch.from_numpy(random.uniform(16, 240, (1, 3, 8, 8)).astype(np.float32))
    smooth = torch.nn.functional.interpolate(colours, (image_size, image_size), mode="bilinear")[0].numpy()
    grain = random.integers(-12, 13, smooth.shape)
    pixels: Pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
    return pixels
