"""An image file becomes pixels of the size that a model is fed: decoded, resized and cropped."""

import warnings
from pathlib import Path

import torch

from datasets.decode import decode_rgb
from datasets.errors import DataError
from datasets.pixels import Pixels

with warnings.catch_warnings():
    # torchvision 0.15, the one for PopTorch's torch, says at length that this might change one day.
    warnings.simplefilter("ignore", UserWarning)
    from torchvision.transforms.v2 import InterpolationMode  # type: ignore[import-untyped]
    from torchvision.transforms.v2 import functional as transforms

INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}


def preprocess(path: Path, image_size: int, interpolation: str) -> Pixels:
    """Decode, resize the short side to `image_size * 256 / 224`, and cut the centre out.

    Returns uint8 pixels of shape (3, image_size, image_size); they may be a strided view.
    The proportion is that of the ImageNet evaluations of the ResNet paper (arXiv:1512.03385, section 3.4).
    The whole image is resized although only its centre is kept: a crop beforehand would shift the
    sampling points by a fraction of a pixel, and so change the result.
    Raises DecodeError if the file cannot be decoded, DataError for an unknown interpolation.
    """
    if interpolation not in INTERPOLATIONS:
        known = ", ".join(sorted(INTERPOLATIONS))
        raise DataError(f"interpolation {interpolation!r} is unknown: expected one of {known}")
    image = decode_rgb(path)
    # As decoded, pixels lie in memory with the channel last, for which torch has vectorised 8-bit
    # resizing; made contiguous first, the same resize takes twice as long or more.
    resized: torch.Tensor = transforms.resize(
        image, [round(image_size * 256 / 224)], INTERPOLATIONS[interpolation], antialias=True
    )
    height, width = resized.shape[-2:]
    top, left = round((height - image_size) / 2), round((width - image_size) / 2)
    pixels: Pixels = resized[:, top : top + image_size, left : left + image_size].numpy()
    return pixels
