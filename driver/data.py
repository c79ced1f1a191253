"""The data of a run: images and sources of host calls according to the settings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backends import registry
from backends.base import AutonomousBackend, Batch
from driver.output import warn
from measurement.machine import available_cores
from measurement.settings import Settings
from models import InputSpec

if TYPE_CHECKING:
    from datasets.host_batch import Source
    from datasets.images import ImageSet

ROOT = Path(__file__).resolve().parents[1]

LABELLED_CLASSES = 1000


def images_of(settings: Settings) -> ImageSet | None:
    """The images of a run on real data, found before anything costly is done."""
    if settings.data != "real":
        return None
    from datasets.images import find_images

    images = find_images(image_folder(settings), settings.labels, workers=available_cores())
    warn(*images.warnings)
    return images


def image_folder(settings: Settings) -> Path:
    """The folder of images: of this checkout by default, else as given."""
    return ROOT / settings.images if settings.origin["images"] == "default" else settings.images


def example_batch(settings: Settings, pixels: InputSpec) -> Batch:
    """A micro-batch of generated data, with the shape and dtype of the run."""
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
    """The source of host calls. Without labels if the model has no top-1."""
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
    """Up to four, for little contention between workers, but few enough that all have work in every host call.

    Four instead of one, decoding while mobilenet-v3-large computes on two cores: 1.05 times the throughput.
    """
    return max(1, min(4, samples_per_host_call // workers))


def has_top1(pixels: InputSpec, weights: str) -> bool:
    """Whether the model's classes are those of the labels: ImageNet's 1000."""
    return weights != "random" and pixels.num_classes == LABELLED_CLASSES


def input_format(settings: Settings, pixels: InputSpec) -> dict[str, Any]:
    """Shape and dtype of the host calls, as arguments of the sources; includes the micro-batches of all replicas."""
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
    """Whether the engine takes the micro-batches of a host call as one array; with synthetic data it takes none."""
    return settings.device == "ipu" and settings.data != "synthetic"


def pixel_dtype(settings: Settings) -> np.dtype[Any]:
    """8 bits if requested; 16 if the device computes in float16, which halves the transfer; else 32.

    numpy has no bfloat16: a CPU that computes in it takes float32.
    """
    if settings.eight_bit_io:
        return np.dtype(np.uint8)
    return np.dtype(np.float16 if settings.precision == "16.16" and settings.device != "cpu" else np.float32)


def micro_batch_bytes(settings: Settings, pixels: InputSpec) -> int:
    """The memory of the pixels of one micro-batch."""
    layout = input_format(settings, pixels)
    values = settings.micro_batch_size * int(layout["channels"]) * pixels.image_size**2
    return values * int(layout["dtype"].itemsize)
