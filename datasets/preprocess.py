"""Decodes, resizes and crops image files to the input size of a model."""

import warnings
from pathlib import Path

import torch

from datasets.decode import decode_rgb
from datasets.errors import DataError
from datasets.pixels import Pixels

with warnings.catch_warnings():
    # torchvision 0.15, for PopTorch's torch, warns at length that this might change in the future.
    warnings.simplefilter("ignore", UserWarning)
    from torchvision.transforms.v2 import InterpolationMode  # type: ignore[import-untyped]
    from torchvision.transforms.v2 import functional as transforms

INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def preprocess(path: Path, image_size: int, interpolation: str) -> Pixels:
    """Decodes, resizes the short side to `image_size * 256 / 224`, and crops the centre.

    Returns uint8 pixels `(3, image_size, image_size)`, possibly a strided view.
    The ratio is that of the ImageNet evaluations of the ResNet paper (arXiv:1512.03385, section 3.4). Resizes the whole
    image although only its centre is kept: cropping first would shift the sampling points by a fraction of a pixel, and
    so change the result.
    Raises `DecodeError` if the file cannot be decoded, `DataError` for an unknown interpolation.
    """
    if interpolation not in INTERPOLATIONS:
        known = ", ".join(sorted(INTERPOLATIONS))
        raise DataError(f"interpolation {interpolation!r} is unknown: expected one of {known}")
    image = decode_rgb(path)
    # Decoded pixels are channels-last in memory, for which torch has vectorised 8-bit resizing; after making them
    # contiguous, the same resize takes at least twice as long.
    resized: torch.Tensor = transforms.resize(
        image, [round(image_size * 256 / 224)], INTERPOLATIONS[interpolation], antialias=True
    )
    height, width = resized.shape[-2:]
    top, left = round((height - image_size) / 2), round((width - image_size) / 2)
    pixels: Pixels = resized[:, top : top + image_size, left : left + image_size].numpy()
    return pixels
