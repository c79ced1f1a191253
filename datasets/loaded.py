"""A source of images that the worker processes of an engine's own data loader decode while the device computes."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from datasets.errors import DataError
from datasets.host_batch import HostBatch, Source, in_one_block
from datasets.image_filler import image_filler
from datasets.images import ImageSet, partition
from datasets.pixels import Normalization

AS_ASKED, REPLACED, NONE_LEFT = range(3)
"""The status of an image: a number, as loaders pass tensors, and each passes exceptions in its own way."""

Item = tuple[torch.Tensor, int, int]


class Loader(Protocol):
    """An engine's loader of a dataset: host calls of (pixels, labels, status of each image)."""

    def __iter__(self) -> Iterator[Sequence[torch.Tensor]]: ...

    def terminate(self) -> None: ...


def loaded(
    images: ImageSet,
    *,
    loader: Callable[["ImageDataset"], Loader],
    image_size: int,
    interpolation: str,
    channels: int = 3,
    micro_batch_size: int,
    device_iterations: int,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
    rank: int = 0,
    world_size: int = 1,
) -> Source:
    """Returns a source of the host calls of `loader`, each of which has all its images in one tensor.

    The dataset of the loader is this rank's share of the images, endlessly repeated: at the end of a finite one, all
    workers would wait for the last of them, and many have fewer host calls than workers.
    Raises `DataError` for arguments that cannot be met.
    """
    dataset = ImageDataset(
        partition(images, rank, world_size),
        images_per_host_call=micro_batch_size * device_iterations,
        shape=(channels, image_size, image_size),
        interpolation=interpolation,
        dtype=np.dtype(dtype),
        normalize=normalize,
    )
    has_labels = any(label is not None for label in images.labels)
    return _Loaded(loader(dataset), micro_batch_size, has_labels)


class ImageDataset(torch.utils.data.Dataset[Item]):
    """Decoded images `(channels, H, W)` with their label (-1: none) and status, as many as a length can express."""

    def __init__(
        self,
        images: ImageSet,
        *,
        images_per_host_call: int,
        shape: tuple[int, int, int],
        interpolation: str,
        dtype: np.dtype[Any],
        normalize: Normalization | None,
    ) -> None:
        self._images, self._shape, self._dtype = images, shape, dtype
        self._interpolation, self._normalize = interpolation, normalize
        self._length = sys.maxsize // images_per_host_call * images_per_host_call

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Item:
        if not 0 <= index < self._length:
            raise IndexError(index)
        place = np.zeros(self._shape, self._dtype)
        # Created each time, which takes microseconds: a dataset is sent to worker processes, and closures cannot be.
        fill = image_filler(
            self._images,
            image_size=self._shape[-1],
            interpolation=self._interpolation,
            dtype=self._dtype,
            normalize=self._normalize,
        )
        try:
            label, replaced = fill(index, place)
        except DataError:
            return torch.from_numpy(place), -1, NONE_LEFT
        return torch.from_numpy(place), label, REPLACED if replaced else AS_ASKED


class _Loaded:
    """A source around a loader, whose worker processes load at any time."""

    works_ahead = True

    def __init__(self, loader: Loader, micro_batch_size: int, has_labels: bool) -> None:
        self.decode_errors = 0
        self._loader, self._micro_batch_size, self._has_labels = loader, micro_batch_size, has_labels
        self._host_calls = iter(loader)
        self._closed = False

    def next(self) -> HostBatch:
        began_ns = time.perf_counter_ns()
        pixels, labels, statuses = next(self._host_calls)
        waited_ns = time.perf_counter_ns() - began_ns
        self.decode_errors += int(torch.count_nonzero(statuses == REPLACED))
        if bool((statuses == NONE_LEFT).any()):
            raise DataError(
                "none of the images can be decoded any more: were they moved or deleted during the run? "
                "Run datasets/get_images.sh, or give a folder with --images DIR"
            )
        return HostBatch(
            micro_batches=in_one_block(pixels.view(-1, self._micro_batch_size, *pixels.shape[1:]).numpy()),
            labels=labels.view(-1, self._micro_batch_size).numpy() if self._has_labels else None,
            decode_wait_ns=waited_ns,
        )

    def close(self) -> None:
        if not self._closed:
            self._loader.terminate()
        self._closed = True

    def __enter__(self) -> "_Loaded":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
