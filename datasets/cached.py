"""A source of images that are decoded once, before the run."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from datasets.host_batch import HostBatch, Repeating, Source, allocate, in_one_block
from datasets.image_filler import image_filler, intra_op_threads_kept, use_one_intra_op_thread
from datasets.images import ImageSet, partition
from datasets.pixels import Normalization


def cached(
    images: ImageSet,
    *,
    image_size: int,
    interpolation: str,
    channels: int = 3,
    micro_batch_size: int,
    device_iterations: int,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
    workers: int = 1,
    one_block: bool = False,
    rank: int = 0,
    world_size: int = 1,
) -> Source:
    """Decodes this rank's share of the images, each file once, and returns a source of them.

    The host calls cover the share once, the last one filled up from its beginning; then they repeat. Micro-batches with
    the same images are one array, unless `one_block` is set. So memory is needed for the share and at most one more
    host call. `workers` threads decode.
    Raises `DataError` if that does not fit into the free memory.
    """
    share = partition(images, rank, world_size)
    total = len(share.paths)
    host_calls = -(-total // (micro_batch_size * device_iterations))
    # A micro-batch is identified by the number of its first image; in a block, each has its own place.
    firsts = [(n * micro_batch_size) % total for n in range(host_calls * device_iterations)]
    distinct = firsts if one_block else list(dict.fromkeys(firsts))

    pixels = allocate(
        (len(distinct), micro_batch_size, channels, image_size, image_size),
        np.dtype(dtype),
        purpose=f"--cache-images: {len(distinct)} micro-batches of {micro_batch_size} decoded images",
        remedy="drop --cache-images to decode during the run, use --eight-bit-io, or give fewer images",
    )
    places = pixels.reshape(-1, *pixels.shape[2:])
    labels = np.empty(len(places), np.int64)
    image_at = [(first + offset) % total for first in distinct for offset in range(micro_batch_size)]
    first_place = {image: place for place, image in reversed(list(enumerate(image_at)))}

    def decode(image: int) -> bool:
        place = first_place[image]
        fill = image_filler(
            share, image_size=image_size, interpolation=interpolation, dtype=dtype, normalize=normalize
        )
        labels[place], replaced = fill(image, places[place])
        return replaced

    with (
        intra_op_threads_kept(),
        ThreadPoolExecutor(workers, initializer=use_one_intra_op_thread) as pool,
    ):
        decode_errors = sum(pool.map(decode, first_place))
    for place, image in enumerate(image_at):
        source = first_place[image]
        if source != place:
            places[place] = places[source]
            labels[place] = labels[source]

    has_labels = any(label is not None for label in images.labels)
    row_of = {first: row for row, first in enumerate(distinct)}
    label_rows = labels.reshape(-1, micro_batch_size)
    calls = []
    for call in range(host_calls):
        chosen = slice(call * device_iterations, (call + 1) * device_iterations)
        rows = [row_of[first] for first in firsts[chosen]]
        calls.append(
            HostBatch(
                micro_batches=in_one_block(pixels[chosen])
                if one_block
                else tuple(pixels[row] for row in rows),
                labels=label_rows[rows] if has_labels else None,
                decode_wait_ns=0,
            )
        )
    return Repeating(tuple(calls), decode_errors)
