"""Decodes, resizes and crops image files to the input size of a model."""

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from datasets.decode import decode_rgb
from datasets.errors import DataError
from datasets.pixels import Pixels

with warnings.catch_warnings():
    # torchvision 0.15, for PopTorch's torch, warns at length that this might change in the future.
    warnings.simplefilter("ignore", UserWarning)
    from torchvision.transforms.v2 import InterpolationMode  # type: ignore[import-untyped]
    from torchvision.transforms.v2 import functional as transforms

INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
_PILLOW_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# Sides of an image whose ratio is larger: resized as a whole, 60,000 x 4 pixels would take 3 GB.
_THIN = 8


def preprocess(path: Path, image_size: int, interpolation: str) -> Pixels:
    """Decodes, resizes the short side to `image_size * 256 / 224`, and crops the centre.

    Returns uint8 pixels `(3, image_size, image_size)`, possibly a strided view.
    The ratio is that of the ImageNet evaluations of the ResNet paper (arXiv:1512.03385, section 3.4). Resizes the whole
    image although only its centre is kept: cropping first would shift the sampling points by a fraction of a pixel, and
    so change the result. Of long thin images it computes only the centre, at the same sampling points.
    Raises `DecodeError` if the file cannot be decoded, `DataError` for an unknown interpolation.
    """
    if interpolation not in INTERPOLATIONS:
        known = ", ".join(sorted(INTERPOLATIONS))
        raise DataError(f"interpolation {interpolation!r} is unknown: expected one of {known}")
    image = decode_rgb(path)
    short = round(image_size * 256 / 224)
    if max(image.shape[-2:]) > _THIN * min(image.shape[-2:]):
        return _centre_resized(image, short, image_size, interpolation)
    # Decoded pixels are channels-last in memory, for which torch has vectorised 8-bit resizing; after making them
    # contiguous, the same resize takes at least twice as long.
    resized: torch.Tensor = transforms.resize(image, [short], INTERPOLATIONS[interpolation], antialias=True)
    height, width = resized.shape[-2:]
    top, left = _offset(height, image_size), _offset(width, image_size)
    pixels: Pixels = resized[:, top : top + image_size, left : left + image_size].numpy()
    return pixels


def _centre_resized(image: torch.Tensor, short: int, image_size: int, interpolation: str) -> Pixels:
    """The centre of the resized image, without the rest of it: Pillow resizes a box with fractions of a pixel."""
    (top, bottom, first_row, last_row), (left, right, first_column, last_column) = (
        _box(side, short, min(image.shape[-2:]), image_size) for side in image.shape[-2:]
    )
    needed = image[:, first_row:last_row, first_column:last_column].permute(1, 2, 0).contiguous().numpy()
    kind, rows = _PILLOW_FILTERS[interpolation], len(needed)
    # The columns first, as in a resize of the whole: between the passes, pixels are rounded to 8 bits.
    narrow = Image.fromarray(needed).resize((image_size, rows), kind, box=(left, 0, right, rows))
    centre = narrow.resize((image_size, image_size), kind, box=(0, top, image_size, bottom))
    pixels: Pixels = np.array(centre).transpose(2, 0, 1)
    return pixels


def _box(side: int, short: int, shortest: int, image_size: int) -> tuple[float, float, int, int]:
    """Returns start and end of the centre in the needed pixels, and the first and last of these in the image."""
    resized = max(short * side // shortest, short)  # as torchvision rounds it
    start = _offset(resized, image_size) * side / resized
    end = start + image_size * side / resized
    margin = 3 * max(1, -(-side // resized))  # the filters reach two source pixels, or two target pixels
    first = max(0, int(start) - margin)
    return start - first, end - first, first, min(side, int(end) + 1 + margin)


def _offset(side: int, image_size: int) -> int:
    return round((side - image_size) / 2)
