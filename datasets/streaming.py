"""A source of images that threads decode while the device computes."""

import atexit
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from datasets.errors import DataError
from datasets.host_batch import NO_LABEL, Array, HostBatch, Source, allocate
from datasets.image_filler import Fill, image_filler, intra_op_threads_kept, use_one_intra_op_thread
from datasets.images import ImageSet, partition
from datasets.pixels import Normalization


def streaming(
    images: ImageSet,
    *,
    image_size: int,
    interpolation: str,
    channels: int = 3,
    micro_batch_size: int,
    device_iterations: int,
    dtype: np.dtype[Any],
    normalize: Normalization | None,
    workers: int,
    images_at_a_time: int = 1,
    prefetch_host_calls: int = 2,
    rank: int = 0,
    world_size: int = 1,
) -> Source:
    """Returns a source that decodes the images in `workers` threads, ahead of their use.

    A worker takes `images_at_a_time` successive images: more of them mean less contention for the lock, but host calls
    that complete later.

    Place i of the run gets image i of this rank's endlessly repeated share, so the host calls do not depend on the
    number of workers. Workers write images directly into a ring of `prefetch_host_calls + 1` host calls (more if those
    contain fewer than two images per worker), which is all the memory used, however many images there are.
    Raises `DataError` for arguments that cannot be met, such as a ring larger than the free memory.
    """
    if workers < 1:
        raise DataError(f"--dataloader-worker {workers}: at least 1 worker is needed to decode images")
    share = partition(images, rank, world_size)
    call_size = micro_batch_size * device_iterations
    for_workers = -(-2 * workers * images_at_a_time // call_size)
    slots = 1 + max(prefetch_host_calls, for_workers)
    shape = (slots, device_iterations, micro_batch_size, channels, image_size, image_size)
    pixels = allocate(
        shape,
        np.dtype(dtype),
        purpose=f"{slots} host calls of {call_size} decoded images",
        remedy="lower --dataloader-worker or --dataloader-rebatch-size"
        if for_workers > prefetch_host_calls
        else "lower --micro-batch-size or --device-iterations, or use --eight-bit-io",
    )
    fills = [
        image_filler(
            share, image_size=image_size, interpolation=interpolation, dtype=dtype, normalize=normalize
        )
        for _ in range(workers)
    ]
    has_labels = any(label is not None for label in images.labels)
    return _Ring(pixels, fills, has_labels, images_at_a_time)


class _Ring:
    """Slots of one host call each; threads fill their places in order, and the caller consumes them slot by slot.

    Threads, not processes: decoding, resizing and copying all release the GIL, so that two threads take no more CPU
    time per image (2.2 ms, over the packaged photographs) than a plain loop. torch's DataLoader takes 3.2 ms with two
    processes, which pass their arrays on. Any CPU time that decoding takes is taken from the model.
    """

    works_ahead = True

    def __init__(self, pixels: Array, fills: Sequence[Fill], has_labels: bool, images_at_a_time: int) -> None:
        self.decode_errors = 0
        slots, device_iterations, micro_batch_size = pixels.shape[:3]
        self._slots: int = slots
        self._call_size: int = device_iterations * micro_batch_size
        self._places = pixels.reshape(slots, self._call_size, *pixels.shape[3:])
        self._labels = np.full((slots, device_iterations, micro_batch_size), NO_LABEL, np.int64)
        self._flat_labels = self._labels.reshape(slots, self._call_size)
        self._has_labels = has_labels
        self._images_at_a_time = images_at_a_time
        self._micro_batches = tuple(tuple(slot) for slot in pixels)

        # Everything below is read and written under the lock, which both conditions share.
        lock = threading.Lock()
        self._slot_freed = threading.Condition(lock)
        self._slot_filled = threading.Condition(lock)
        self._next_place = 0  # counted over the whole run, as are the calls
        self._calls_taken = 0
        self._calls_released = 0
        self._unfilled = [self._call_size] * slots
        self._failure: BaseException | None = None
        self._closed = False

        self._threads = [
            threading.Thread(target=self._work, args=(fill,), name=f"decode-{n}", daemon=True)
            for n, fill in enumerate(fills)
        ]
        self._started = threading.Barrier(len(fills) + 1)
        with intra_op_threads_kept():
            for thread in self._threads:
                thread.start()
            self._started.wait()
        # A thread that is inside torch while the interpreter shuts down would crash it.
        atexit.register(self.close)

    def next(self) -> HostBatch:
        began_ns = time.perf_counter_ns()
        with self._slot_filled:
            if self._calls_taken > self._calls_released:
                self._release()
            slot = self._calls_taken % self._slots
            while self._unfilled[slot] and self._failure is None and not self._closed:
                self._slot_filled.wait()
            if self._closed:
                raise RuntimeError("next() was called on a closed source of images")
            if self._unfilled[slot] and self._failure is not None:
                raise self._failure
            self._calls_taken += 1
        return HostBatch(
            micro_batches=self._micro_batches[slot],
            labels=self._labels[slot] if self._has_labels else None,
            decode_wait_ns=time.perf_counter_ns() - began_ns,
        )

    def close(self) -> None:
        atexit.unregister(self.close)
        with self._slot_freed:
            self._closed = True
            self._slot_freed.notify_all()
            self._slot_filled.notify_all()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "_Ring":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _release(self) -> None:
        self._unfilled[self._calls_released % self._slots] = self._call_size
        self._calls_released += 1
        self._slot_freed.notify_all()

    def _work(self, fill: Fill) -> None:
        use_one_intra_op_thread()
        self._started.wait()
        try:
            while (places := self._take_places()) is not None:
                for place in places:
                    slot, position = place // self._call_size % self._slots, place % self._call_size
                    label, replaced = fill(place, self._places[slot, position])
                    self._flat_labels[slot, position] = label
                    self._finish_place(slot, replaced)
        # Whatever it is: a thread that ended silently would leave next() waiting forever.
        except BaseException as error:
            with self._slot_filled:
                self._failure = error
                self._slot_filled.notify_all()

    def _take_places(self) -> range | None:
        """Waits for the next places to fill, until their slots are free; None after `close`."""
        with self._slot_freed:
            while not self._closed and self._next_place + self._images_at_a_time > self._free_until():
                self._slot_freed.wait()
            if self._closed:
                return None
            first = self._next_place
            self._next_place += self._images_at_a_time
            return range(first, self._next_place)

    def _free_until(self) -> int:
        return (self._calls_released + self._slots) * self._call_size

    def _finish_place(self, slot: int, replaced: bool) -> None:
        with self._slot_filled:
            self.decode_errors += replaced
            self._unfilled[slot] -= 1
            if not self._unfilled[slot]:
                self._slot_filled.notify()
