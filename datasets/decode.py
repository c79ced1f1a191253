"""Decodes image files to upright RGB pixels."""

from inspect import signature
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from torchvision.io import ImageReadMode, decode_image  # type: ignore[import-untyped]

from datasets.errors import DataError

TORCHVISION_TURNS = "apply_exif_orientation" in signature(decode_image).parameters
"""Whether torchvision applies the EXIF orientation; 0.15, for PopTorch's torch 2.0.1, does not."""


class DecodeError(DataError):
    """The file `path` cannot be decoded as an image, for `reason`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode_rgb(path: Path) -> torch.Tensor:
    """Decodes an image file to uint8 RGB `(3, H, W)`, turned upright by its EXIF orientation.

    Converts greyscale, CMYK and palette images to RGB, drops transparency, and takes the first frame of an animation.
    Raises `DecodeError` for a file that is missing, truncated, or not an image.
    """
    # Not torchvision.io.read_file: it maps the file into memory, and a file that shrinks while mapped kills the process
    # with SIGBUS instead of raising.
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DecodeError(path, error.strerror or str(error)) from error
    if not encoded.size:
        raise DecodeError(path, "the file is empty")
    try:
        pixels = _decode_with_torchvision(encoded)
    except (RuntimeError, OSError):
        return _decode_with_pillow(path)
    if pixels.ndim == 4:
        pixels = pixels[0]
    if pixels.dtype != torch.uint8:  # 16 bits
        return (pixels.to(torch.int32) >> 8).to(torch.uint8)
    return pixels


def _decode_with_torchvision(encoded: NDArray[np.uint8]) -> torch.Tensor:
    """Decodes an image upright. Raises `RuntimeError` or `OSError` if torchvision cannot decode it."""
    if TORCHVISION_TURNS:
        turned: torch.Tensor = decode_image(
            torch.from_numpy(encoded), mode=ImageReadMode.RGB, apply_exif_orientation=True
        )
        return turned
    with Image.open(BytesIO(encoded.data)) as header:
        if header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            raise RuntimeError("this torchvision does not turn images upright")
    pixels: torch.Tensor = decode_image(torch.from_numpy(encoded), mode=ImageReadMode.RGB)
    return pixels


def _decode_with_pillow(path: Path) -> torch.Tensor:
    """Decodes what torchvision refuses: unknown formats (BMP, TIFF), and damaged files.

    For a damaged file, Pillow's error message is the clearer one.
    """
    try:
        with Image.open(path) as image:
            rgb = ImageOps.exif_transpose(image).convert("RGB")
    # Pillow's PNG reader reports a damaged chunk as SyntaxError.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image file" if "cannot identify" in str(error) else str(error)
        raise DecodeError(path, reason) from error
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)
