"""Decodes image files to upright RGB pixels."""

from inspect import signature
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile
from torchvision.io import ImageReadMode, decode_image  # type: ignore[import-untyped]

from datasets.errors import DataError
from datasets.image_limits import MAX_PIXELS, TOO_MANY_PIXELS, is_regular_file, pixel_count

TORCHVISION_TURNS = "apply_exif_orientation" in signature(decode_image).parameters
"""Whether torchvision applies the EXIF orientation; 0.15, for PopTorch's torch 2.0.1, does not."""
# It applies it in JPEG and PNG files, and not in WebP.
_TURNED_FORMATS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")

_BITS_PER_SAMPLE = 258  # TIFF 6.0, section 8


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
        if not is_regular_file(path):
            raise DecodeError(path, "not a regular file")
        encoded = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise DecodeError(path, error.strerror or str(error)) from error
    if not encoded.size:
        raise DecodeError(path, "the file is empty")
    pixels_in_file = pixel_count(BytesIO(encoded.data))
    if pixels_in_file is None:
        return _decode_with_pillow(path, encoded)
    if pixels_in_file > MAX_PIXELS:
        raise DecodeError(path, TOO_MANY_PIXELS)
    try:
        pixels = _decode_with_torchvision(encoded)
    except (RuntimeError, OSError):
        return _decode_with_pillow(path, encoded)
    if pixels.ndim == 4:
        pixels = pixels[0]
    if pixels.dtype != torch.uint8:  # 16 bits
        return (pixels.to(torch.int32) >> 8).to(torch.uint8)
    return pixels


def _decode_with_torchvision(encoded: NDArray[np.uint8]) -> torch.Tensor:
    """Decodes an image upright. Raises `RuntimeError` or `OSError` if torchvision cannot decode it."""
    if TORCHVISION_TURNS and bytes(encoded[:8]).startswith(_TURNED_FORMATS):
        turned: torch.Tensor = decode_image(
            torch.from_numpy(encoded), mode=ImageReadMode.RGB, apply_exif_orientation=True
        )
        return turned
    with Image.open(BytesIO(encoded.data)) as header:
        if header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            raise RuntimeError("torchvision does not turn this image upright")
    pixels: torch.Tensor = decode_image(torch.from_numpy(encoded), mode=ImageReadMode.RGB)
    return pixels


def _decode_with_pillow(path: Path, encoded: NDArray[np.uint8]) -> torch.Tensor:
    """Decodes what torchvision refuses: unknown formats (BMP, TIFF), and damaged files.

    For a damaged file, Pillow's error message is the clearer one.
    """
    try:
        # Not by its path: Pillow maps some files into memory, and then confuses the sides of a turned TIFF image.
        with Image.open(BytesIO(encoded.data)) as image:
            upright = ImageOps.exif_transpose(image)
            deep = _deep_grey(image, upright)
            rgb = upright.convert("RGB") if deep is None else Image.fromarray(deep).convert("RGB")
    # Pillow's PNG reader reports a damaged chunk as SyntaxError.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = "not an image file" if "cannot identify" in str(error) else str(error)
        raise DecodeError(path, reason) from error
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)


def _deep_grey(image: Image.Image, upright: Image.Image) -> NDArray[np.uint8] | None:
    """Returns the brightness of a grey image of more than 8 bits, None for another image.

    Pillow's own conversion clips instead: everything above 255 becomes white. Raises `ValueError` for 32-bit pixels,
    whose white is not defined.
    """
    if not upright.mode.startswith(("I", "F")):
        return None
    if upright.mode in ("I", "F") and image.format != "PPM":
        raise ValueError(
            f"its pixels have 32 bits (mode {upright.mode}), of which white is not known: save 8 or 16 bits"
        )
    # A PPM file's are scaled to 16 bits by Pillow; those of a TIFF file may be 12 bits in 16.
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16
    deep: NDArray[np.integer[Any]] = np.asarray(upright)
    return (deep >> (bits - 8)).clip(0, 255).astype(np.uint8)
