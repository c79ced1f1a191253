"""An image file becomes RGB pixels, upright."""

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
"""Not so in torchvision 0.15, which is the one for PopTorch's torch 2.0.1."""


class DecodeError(DataError):
    """One file cannot be decoded as an image: `path`, and the `reason` in words."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def decode_rgb(path: Path) -> torch.Tensor:
    """Decode an image file to uint8 RGB of shape (3, H, W), turned upright by its EXIF orientation.

    Greyscale, CMYK and palette images become RGB; transparency is dropped; of an animation, the first frame.
    Raises DecodeError for a file that is missing, truncated, or not an image.
    """
    # Not torchvision.io.read_file: it maps the file into memory, and a file that shrinks under a map
    # kills the process with SIGBUS instead of raising.
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
    """Decode an image upright, or raise RuntimeError or OSError for what torchvision cannot decode."""
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
    """Decode what torchvision refuses: formats that it does not know (BMP, TIFF), and broken files.

    Pillow's reason for refusing a broken file is also the one that a user understands.
    """
    try:
        with Image.open(path) as image:
            rgb = ImageOps.exif_transpose(image).convert("RGB")
    # SyntaxError is how Pillow's PNG reader reports a broken chunk.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image file" if "cannot identify" in str(error) else str(error)
        raise DecodeError(path, reason) from error
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)
