"""One place of a micro-batch is filled with one image, whatever has become of the image's file."""

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
    """Return `fill(i, place) -> (label, replaced)` for one thread.

    It writes image number i of the endlessly repeated set into `place`, of shape (channels, H, W), of which
    it touches the first three channels. A file that cannot be decoded any more is replaced by the next one
    in order that can, and so is its label. Raises DataError if there is none.
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
            f"none of the {total} images can be decoded any more (at last: {failure}): were they moved or "
            "deleted during the run? Run datasets/get_images.sh, or give a folder with --images DIR"
        )

    return fill


def use_one_intra_op_thread() -> None:
    """Keep torch's operators in the calling thread to it alone.

    Otherwise each decoding thread would bring along a team of OpenMP threads, which fight over the cores.
    """
    torch.set_num_threads(1)


@contextmanager
def intra_op_threads_kept() -> Iterator[None]:
    """Start decoding threads within this, so that the rest of the process keeps its number of threads.

    `torch.set_num_threads` sets two numbers: that of the calling thread, and one for all threads that ask
    for the first time later. A decoding thread wants the former alone, so the latter is put back here.
    """
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
