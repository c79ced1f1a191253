"""How many images go into shared memory, and the error if it is too small for them."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

import pytest
from PIL import Image

from datasets.images import ImageSet
from serving.errors import ServingRefused
from serving.served_model import ServedModel, served_model
from serving.shared_images import FEWEST_IMAGES, SHARED_MEMORY, shared_images


def small(batch: int) -> ServedModel:
    return served_model("a", {"model": "mobilenet-v3-small", "weights": "random", "micro_batch_size": batch})


def made_images(folder: Path, number: int) -> ImageSet:
    Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    return ImageSet((folder / "a.jpg",) * number, (None,) * number)


@pytest.mark.slow
def test_of_a_large_folder_only_the_first_images_are_used(tmp_path: Path) -> None:
    with shared_images(small(batch=4), made_images(tmp_path, 1000)) as region:
        assert region.shape[0] == FEWEST_IMAGES


def test_all_of_a_small_folder_are_used(tmp_path: Path) -> None:
    with shared_images(small(batch=4), made_images(tmp_path, 7)) as region:
        assert region.shape[0] == 8  # two whole batches


def test_images_that_shared_memory_has_no_room_for_are_refused_with_the_remedy(tmp_path: Path) -> None:
    room = os.statvfs(SHARED_MEMORY)
    batch = room.f_blocks * room.f_frsize // prod(small(batch=1).image_shape) + 1
    words = r"/dev/shm has no room for \d+ MiB of images .*--shm-size.*--images"
    with (
        pytest.raises(ServingRefused, match=words),
        shared_images(small(batch), made_images(tmp_path, 1)),
    ):
        raise AssertionError("more than there is")
