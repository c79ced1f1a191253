"""Limits that hold before an image is decoded: a file of 2 MB may contain one of gigabytes."""

import os
import stat
import warnings
from pathlib import Path
from typing import IO

MAX_PIXELS = 89_478_485
"""Pillow's own limit: 256 MiB as RGB."""
TOO_MANY_PIXELS = f"more than {MAX_PIXELS:,} pixels, the most that are decoded: scale it down"
# Pillow warns of what is refused here. Named by its text, as `get_images` works without Pillow up to a message.
warnings.filterwarnings("ignore", message=r"Image size \(\d+ pixels\) exceeds limit")


def pixel_count(file: Path | IO[bytes]) -> int | None:
    """Returns the pixels of an image, from its header; None if it cannot be read.

    All frames of a GIF count, as torchvision decodes them at once.
    """
    from PIL import Image

    try:
        with Image.open(file) as header:
            frames: int = getattr(header, "n_frames", 1) if header.format == "GIF" else 1
            pixels: int = header.width * header.height * frames
            return pixels
    except Image.DecompressionBombError:
        return MAX_PIXELS + 1
    except (OSError, SyntaxError, ValueError, OverflowError, EOFError):
        return None


def is_regular_file(path: Path) -> bool:
    """Whether it is a file, not a FIFO or a device, of which reading may never end. Raises `OSError`."""
    return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - for each image, and twice as fast
