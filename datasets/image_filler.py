"""Fills places of a micro-batch with images, and replaces those that can no longer be decoded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from datasets.decode import DecodeError
from datasets.errors import DataError
from datasets.host_batch import NO_LABEL, Array
from datasets.images import ImageSet
from datasets.pixels import Normalization, pixel_writer
from datasets.preprocess import preprocess

Fill = Callable[[int, Array], tuple[int, bool]]


def image_filler(
    images: ImageSet,
    *,
    image_size: int,
    interpolation: str,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
) -> Fill:
    """Returns `fill(i, place) -> (label, replaced)` for one thread.

    It writes image number i of the endlessly repeated set into the first three channels of `place`
    `(channels, H, W)`. If the file can no longer be decoded, it takes the next one that can, with its label. Raises
    `DataError` if there is none.
    """
    write = pixel_writer(image_size, dtype, normalize)

    def fill(i: int, place: Array) -> tuple[int, bool]:
        total = len(images.paths)
        for attempt in range(total):
            chosen = (i + attempt) % total
            try:
                pixels = preprocess(images.paths[chosen], image_size, interpolation)
            except DecodeError as error:
                failure = error
                continue
            write(pixels, place[:3])
            label = images.labels[chosen]
            return (NO_LABEL if label is None else label), attempt > 0
        raise DataError(
            f"none of the {total} images can be decoded any more (last error: {failure}): were they moved or "
            "deleted during the run? Run datasets/get_images.sh, or give a folder with --images DIR"
        )

    return fill


def use_one_intra_op_thread() -> None:
    """Makes torch's operators in the calling thread run on this thread only.

    Otherwise each decoding thread would start its own OpenMP threads, which compete for the cores.
    """
    torch.set_num_threads(1)


@contextmanager
def intra_op_threads_kept() -> Iterator[None]:
    """Preserves the process's number of torch threads; to be used around the start of decoding threads.

    `torch.set_num_threads` sets two numbers: that of the calling thread, and the default of threads that use torch for
    the first time later. A decoding thread needs only the former, so this restores the latter.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
