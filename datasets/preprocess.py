"""An image file becomes the array that a model is fed: resized, cropped, and converted to its data type."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import InterpolationMode  # type: ignore[import-untyped]
from torchvision.transforms.v2 import functional as transforms

from datasets.decode import decode_rgb
from datasets.errors import DataError

Pixels = NDArray[np.uint8]
Normalization = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation of the three channels, of pixels scaled to 0..1."""

INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
DTYPES = (np.dtype(np.uint8), np.dtype(np.float16), np.dtype(np.float32))


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


def pixel_writer(
    image_size: int, dtype: np.dtype[np.generic], normalize: Normalization | None
) -> Callable[[Pixels, NDArray[np.generic]], None]:
    """Return `write(pixels, out)`, which converts (3, H, W) pixels into `out`, an array of `dtype`.

    uint8 keeps the pixels 0..255; a float type scales them to 0..1 and, with `normalize`, computes
    `(pixels / 255 - mean) / std` in float32. Nothing is allocated per call, so each thread needs its own
    writer. Raises DataError for another dtype, or for normalisation of 8-bit output.
    """
    dtype = np.dtype(dtype)
    if dtype not in DTYPES:
        raise DataError(f"images of data type {dtype} cannot be made: expected uint8, float16 or float32")
    if dtype == np.uint8:
        if normalize is not None:
            raise DataError(
                "--eight-bit-io keeps pixels as they are, so the host cannot normalise them: "
                "use --normalization-location ipu or none, or drop --eight-bit-io"
            )
        return _write_as_is

    mean, std = normalize if normalize is not None else ((0.0,) * 3, (1.0,) * 3)
    # One multiplication and one addition instead of two divisions and a subtraction.
    scale = (1 / (255 * np.asarray(std, np.float64))).astype(np.float32).reshape(3, 1, 1)
    shift = (-np.asarray(mean, np.float64) / np.asarray(std, np.float64)).astype(np.float32).reshape(3, 1, 1)

    def write_float32(pixels: Pixels, out: NDArray[np.generic]) -> None:
        np.copyto(out, pixels)
        np.multiply(out, scale, out=out)
        np.add(out, shift, out=out)

    if dtype == np.float32:
        return write_float32

    scratch = np.empty((3, image_size, image_size), np.float32)

    def write_float16(pixels: Pixels, out: NDArray[np.generic]) -> None:
        write_float32(pixels, scratch)
        # torch's conversion is vectorised; numpy's takes forty times as long (0.4 against 0.01 ms).
        torch.from_numpy(out).copy_(torch.from_numpy(scratch))

    return write_float16


def _write_as_is(pixels: Pixels, out: NDArray[np.generic]) -> None:
    np.copyto(out, pixels)
