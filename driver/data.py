"""The driver's data side: photographs and host calls as the settings ask for them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends import registry
from backends.base import AutonomousBackend
from driver.output import warn
from measurement.machine import available_cores
from models import InputSpec

if TYPE_CHECKING:
    from backends.base import Batch
    from datasets.host_batch import Source
    from datasets.images import ImageSet
    from measurement.settings import Settings

ROOT = Path(__file__).resolve().parents[1]

LABELLED_CLASSES = 1000


def images_of(settings: Settings) -> ImageSet | None:
    """The images of a run on real data, found before anything costly is done."""
    if settings.data != "real":
        return None
    from datasets.images import find_images

    default = settings.origin["images"] == "default"
    images = find_images(ROOT / settings.images if default else settings.images, settings.labels)
    warn(*images.warnings)
    return images


def example_batch(settings: Settings, pixels: InputSpec) -> Batch:
    """A micro-batch of the right shape and dtype, with the pixels of generated data."""
    from datasets.generated import generated

    with generated(**input_format(settings, pixels)) as source:
        return source.next().micro_batches[0]


def open_source(
    settings: Settings,
    pixels: InputSpec,
    images: ImageSet | None,
    weights: str,
    rank: int = 0,
    world_size: int = 1,
) -> Source:
    """Where host calls come from. A model that has no top-1 is not given the labels."""
    layout = input_format(settings, pixels)
    if images is None:
        from datasets.generated import generated

        return generated(one_block=in_one_block(settings), **layout)
    from datasets.cached import cached
    from datasets.loaded import loaded
    from datasets.streaming import streaming

    if not has_top1(pixels, weights):
        images = replace(images, labels=(None,) * len(images.paths))
    workers = settings.dataloader_worker or available_cores()
    share = {"rank": rank, "world_size": world_size}
    real = {"interpolation": pixels.interpolation, **share, **layout}
    if settings.cache_images:
        return cached(images, workers=workers, one_block=in_one_block(settings), **real)
    backend = registry.choose(settings.backend, settings.device)
    if isinstance(backend, AutonomousBackend):
        return loaded(images, loader=partial(backend.loader, settings=settings), **real)
    at_a_time = settings.dataloader_rebatch_size or images_at_a_time(settings.samples_per_host_call, workers)
    return streaming(images, workers=workers, images_at_a_time=at_a_time, **real)


def images_at_a_time(samples_per_host_call: int, workers: int) -> int:
    """Up to four, so that workers meet seldom, but so that all of them have work in every host call.

    Four against one, decoding beside mobilenet-v3-large on two cores: 1.05 times the throughput.
    """
    return max(1, min(4, samples_per_host_call // workers))


def has_top1(pixels: InputSpec, weights: str) -> bool:
    """Whether the classes that the model tells are those that labels count: ImageNet's 1000."""
    return weights != "random" and pixels.num_classes == LABELLED_CLASSES


def input_format(settings: Settings, pixels: InputSpec) -> dict[str, Any]:
    """Shape and dtype of the host calls, as the sources take them: with the micro-batches of all replicas in it."""
    on_host = settings.normalization_location == "host"
    return {
        "image_size": pixels.image_size,
        "channels": 4 if settings.input_image_padding else 3,
        "micro_batch_size": settings.micro_batch_size,
        "device_iterations": settings.micro_batches_per_host_call,
        "dtype": pixel_dtype(settings),
        "normalize": (pixels.mean, pixels.std) if on_host else None,
    }


def in_one_block(settings: Settings) -> bool:
    """Whether the engine takes the micro-batches of a host call as one array; of synthetic data it takes none."""
    return settings.device == "ipu" and settings.data != "synthetic"


def pixel_dtype(settings: Settings) -> np.dtype[Any]:
    """8 bits where asked for; 16 where the device computes in float16, so that half is transferred; else 32.

    numpy has no bfloat16: a CPU that computes in it is handed float32.
    """
    if settings.eight_bit_io:
        return np.dtype(np.uint8)
    return np.dtype(np.float16 if settings.precision == "16.16" and settings.device != "cpu" else np.float32)


def micro_batch_bytes(settings: Settings, pixels: InputSpec) -> int:
    """What the pixels of one micro-batch take in memory."""
    layout = input_format(settings, pixels)
    values = settings.micro_batch_size * int(layout["channels"]) * pixels.image_size**2
    return values * int(layout["dtype"].itemsize)
