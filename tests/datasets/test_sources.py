"""What host calls hold, in which order, and what becomes of the threads and the memory behind them."""

import gc
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import datasets.host_batch
from datasets import DataError
from datasets.cached import cached
from datasets.generated import generated
from datasets.host_batch import HostBatch, Source
from datasets.images import ImageSet, find_images
from datasets.preprocess import preprocess
from datasets.streaming import streaming
from tests.patience import HANG_S

UINT8 = np.dtype(np.uint8)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def small(images: ImageSet, make: Any = streaming, **changes: Any) -> Source:
    options: dict[str, Any] = {
        "image_size": 32,
        "interpolation": "bilinear",
        "micro_batch_size": 2,
        "device_iterations": 2,
        "dtype": UINT8,
        "normalize": None,
        "workers": 2,
        **changes,
    }
    source: Source = make(images, **options)
    return source


def take(source: Source, host_calls: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Copies of the images and labels of the next host calls, one after another."""
    pixels, labels = [], []
    for _ in range(host_calls):
        batch = source.next()
        pixels.extend(np.array(micro_batch) for micro_batch in batch.micro_batches)
        labels.append(None if batch.labels is None else batch.labels.reshape(-1).copy())
    return np.concatenate(pixels), None if labels[0] is None else np.concatenate(labels)


def decode_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode-")]


@pytest.fixture
def images(few: Path) -> ImageSet:
    """Five images of the classes 10, 20, none, 40, 50."""
    table = "file,index,name\na.jpg,10,\nb.jpg,20,\nd.jpg,40,\ne.jpg,50,\n"
    (few / "labels.csv").write_text(table)
    return find_images(few)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_images_come_in_sorted_order_again_and_again_whatever_the_number_of_workers(
    images: ImageSet, workers: int
) -> None:
    with small(images, workers=workers) as source:
        pixels, labels = take(source, 5)
    expected = [preprocess(images.paths[i % 5], 32, "bilinear") for i in range(20)]
    assert (pixels == np.stack(expected)).all()
    assert labels is not None
    assert labels.tolist() == [10, 20, -1, 40, 50] * 4


@pytest.mark.parametrize(
    ("micro_batch_size", "device_iterations"), [(1, 1), (2, 3), (5, 1), (7, 1), (4, 5), (1, 12)]
)
def test_cached_images_are_those_that_would_be_decoded_during_the_run(
    images: ImageSet, micro_batch_size: int, device_iterations: int
) -> None:
    shape = {"micro_batch_size": micro_batch_size, "device_iterations": device_iterations}
    covering = -(-5 // (micro_batch_size * device_iterations))
    with small(images, **shape) as live, small(images, cached, **shape) as stored:
        pixels, labels = take(live, covering)
        cached_pixels, cached_labels = take(stored, covering)
        assert (cached_pixels == pixels).all()
        assert cached_labels is not None
        assert labels is not None
        assert (cached_labels == labels).all()
        again, _ = take(stored, covering)
        assert (again == pixels).all()


def test_cached_micro_batches_of_the_same_images_are_one_array(images: ImageSet) -> None:
    source = small(images, cached, micro_batch_size=5, device_iterations=100)
    assert len({array.ctypes.data for array in source.next().micro_batches}) == 1


def test_cached_images_need_their_files_no_more(images: ImageSet) -> None:
    source = small(images, cached)
    before, _ = take(source, 2)
    for path in images.paths:
        path.unlink()
    after, _ = take(source, 2)
    assert (before == after).all()
    assert source.decode_errors == 0


@pytest.mark.parametrize("make", [streaming, cached])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_host_normalisation_and_the_padding_channel_reach_the_arrays(
    images: ImageSet, make: Any, dtype: Any
) -> None:
    with small(images, make, dtype=np.dtype(dtype), normalize=IMAGENET, channels=4) as source:
        first = source.next().micro_batches[0]
        assert first.dtype == dtype
        assert first.shape == (2, 4, 32, 32)
        assert first.flags.c_contiguous
        mean, std = (np.reshape(values, (3, 1, 1)) for values in IMAGENET)
        expected = (preprocess(images.paths[1], 32, "bilinear") / 255 - mean) / std
        np.testing.assert_allclose(first[1, :3], expected, atol=1e-5 if dtype == np.float32 else 2e-3)
        assert not first[:, 3].any()


def test_labels_are_none_if_no_image_has_one(few: Path) -> None:
    with small(find_images(few)) as live:
        assert live.next().labels is None
    assert small(find_images(few), cached).next().labels is None


def test_ranks_decode_different_images(images: ImageSet) -> None:
    seen = []
    for rank in (0, 1):
        shape = {"micro_batch_size": 5, "device_iterations": 1, "rank": rank, "world_size": 2}
        with small(images, **shape) as live, small(images, cached, **shape) as stored:
            labels = take(live, 1)[1]
            assert labels is not None
            assert labels.tolist() == stored.next().labels.reshape(-1).tolist()  # type: ignore[union-attr]
            seen.append(labels.tolist())
    assert seen == [[10, -1, 50, 20, 40], [20, 40, 10, -1, 50]]


@pytest.mark.slow
def test_arrays_stay_as_they_are_until_the_next_call(images: ImageSet) -> None:
    with small(images, prefetch_host_calls=1) as source:
        for turn in range(10):
            batch = source.next()
            expected = [
                preprocess(images.paths[(4 * turn + i) % 5], 32, "bilinear") for i in range(4)
            ]  # Time enough for the workers to overrun the batch, if they could.
            assert (np.concatenate(batch.micro_batches) == np.stack(expected)).all()


@pytest.mark.slow
def test_memory_is_a_ring_of_host_calls_that_are_used_again(images: ImageSet) -> None:
    with small(images, micro_batch_size=4, prefetch_host_calls=2) as source:
        addresses = [source.next().micro_batches[0].ctypes.data for _ in range(12)]
    assert len(set(addresses)) == 3
    assert addresses == addresses[:3] * 4


def test_generated_images_are_one_array_handed_over_every_time() -> None:
    options: dict[str, Any] = {"image_size": 64, "micro_batch_size": 3, "device_iterations": 50}
    with generated(**options, dtype=UINT8, normalize=None) as source:
        batch = source.next()
        assert batch.micro_batches[0].shape == (3, 3, 64, 64)
        assert len(batch.micro_batches) == 50
        arrays = {id(array) for array in (*batch.micro_batches, *source.next().micro_batches)}
        assert len(arrays) == 1
        assert batch.labels is None
        pixels = batch.micro_batches[0]
        assert pixels.std() > 20
        assert not (pixels[0] == pixels[1]).all()
    normalised = generated(**options, dtype=np.dtype(np.float32), normalize=IMAGENET, channels=4).next()
    mean, std = (np.reshape(values, (3, 1, 1)) for values in IMAGENET)
    np.testing.assert_allclose(normalised.micro_batches[0][:, :3], (pixels / 255 - mean) / std, atol=1e-5)
    assert not normalised.micro_batches[0][:, 3].any()


def test_a_file_that_goes_bad_during_the_run_is_replaced_by_the_next_and_counted(images: ImageSet) -> None:
    images.paths[1].unlink()
    images.paths[2].write_text("no longer a photograph")
    with small(images, micro_batch_size=5, device_iterations=1) as source:
        pixels, labels = take(source, 2)
        assert labels is not None
        assert labels.tolist() == [10, 40, 40, 40, 50] * 2
        assert (pixels[1] == preprocess(images.paths[3], 32, "bilinear")).all()
        assert source.decode_errors >= 4
    stored = small(images, cached, micro_batch_size=5, device_iterations=1)
    assert take(stored, 1)[1].tolist() == [10, 40, 40, 40, 50]  # type: ignore[union-attr]
    assert stored.decode_errors == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_ends_with_an_error_when_no_image_is_left(images: ImageSet, workers: int) -> None:
    for path in images.paths:
        path.unlink()
    with (
        small(images, workers=workers) as source,
        pytest.raises(DataError, match=r"none of the 5 images.*get_images\.sh"),
    ):
        source.next()
    assert decode_threads() == []
    with pytest.raises(DataError, match="none of the 5 images"):
        small(images, cached)


def test_any_failure_of_a_worker_reaches_the_caller(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_arguments: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr("datasets.image_filler.preprocess", out_of_memory)
    with small(images) as source, pytest.raises(MemoryError, match="no more"):
        source.next()


def test_close_leaves_no_threads_and_may_be_done_twice(images: ImageSet) -> None:
    source = small(images, workers=4)
    source.next()
    assert len(decode_threads()) == 4
    source.close()
    source.close()
    assert decode_threads() == []
    with pytest.raises(RuntimeError, match="closed"):
        source.next()


def test_close_wakes_a_caller_that_waits(images: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    decoding, go_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        decoding.set()
        go_on.wait(2 * HANG_S)
        return preprocess(*arguments)

    monkeypatch.setattr("datasets.image_filler.preprocess", slow)
    source = small(images)
    outcome: list[str] = []

    def wait_for_images() -> None:
        try:
            source.next()
        except RuntimeError as error:
            outcome.append(str(error))

    waiting = threading.Thread(target=wait_for_images)
    waiting.start()
    assert decoding.wait(HANG_S)
    closing = threading.Thread(target=source.close)
    closing.start()
    waiting.join(HANG_S)
    go_on.set()
    closing.join(HANG_S)
    assert outcome == ["next() was called on a closed source of images"]
    assert not closing.is_alive()


@pytest.mark.processes
def test_a_program_that_forgets_to_close_still_ends_cleanly(few: Path) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from datasets.images import find_images; from datasets.streaming import streaming\n"
        "source = streaming(find_images(Path(sys.argv[1])), image_size=224, interpolation='bilinear',\n"
        "    micro_batch_size=4, device_iterations=4, dtype=np.dtype('uint8'), normalize=None, workers=2)\n"
        "source.next(); raise KeyboardInterrupt\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", program, few], cwd=root, capture_output=True, text=True, timeout=HANG_S
    )
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")
    assert "Fatal" not in ended.stderr


def test_decoding_threads_leave_the_process_its_number_of_torch_threads(images: ImageSet) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[int] = []
        with small(images), small(images, cached):
            later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            later.start()
            later.join()
            assert (torch.get_num_threads(), seen) == (2, [2])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("make", "flag"),
    [
        (lambda images, options: small(images, **options), "--device-iterations"),
        (lambda images, options: small(images, cached, **options), "--cache-images"),
        (
            lambda _, options: generated(**options, device_iterations=1, dtype=UINT8, normalize=None),
            "--micro-batch-size",
        ),
    ],
    ids=["streaming", "cached", "generated"],
)
def test_what_cannot_fit_into_the_memory_is_refused_with_its_size_and_the_flag(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch, make: Any, flag: str
) -> None:
    monkeypatch.setattr(datasets.host_batch, "_available_bytes", lambda: 3 * 2**30)
    options: dict[str, Any] = {"image_size": 1000, "micro_batch_size": 2000}
    with pytest.raises(DataError, match=rf"need [\d.]+ GiB of memory, and 3\.0 GiB are free.*{flag}"):
        make(images, options)


def test_zero_workers_are_refused(images: ImageSet) -> None:
    with pytest.raises(DataError, match="--dataloader-worker 0"):
        small(images, workers=0)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_host_calls(images: ImageSet) -> None:
    def resident_pages() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    with small(images, image_size=64) as source:
        for _ in range(80):
            source.next()
        gc.collect()
        before = resident_pages()
        for _ in range(80):
            source.next()
        gc.collect()
        # 320 images of 0.5 MB on average, had they been kept, would be 160 MB; allocators may take a little.
        assert (resident_pages() - before) * 4096 < 30e6


def test_batches_print_and_compare_by_value_of_their_fields() -> None:
    batch = HostBatch((), None, 7)
    assert batch == HostBatch((), None, 7)
