"""More images from a few photographs: crops, resampled to the size of the photograph."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

JPEG_QUALITY = 95

# Area and sides of a crop, as shares: those of Inception's training (arXiv:1409.4842, section 6), but with a smallest
# area of a quarter, as smaller crops are mostly blurred.
_AREA = (0.25, 0.9)
_ASPECT = (3 / 4, 4 / 3)


def write_crops(photographs: Sequence[Path], number: int) -> list[Path]:
    """Writes `number` JPEG files next to `photographs`, the same ones each time, and returns their paths.

    The photographs take turns. Crop k of a photograph depends only on its name and k, so the first crops of a longer
    list are those of a shorter one. Resampled to the photograph's own size, a crop takes as long to decode.
    """
    from PIL import Image

    crops: list[Path] = []
    for place, photograph in enumerate(photographs[:number]):
        turns = range(1, 1 + len(range(place, number, len(photographs))))
        with Image.open(photograph) as image:
            crops += [_write_crop(image, photograph, turn) for turn in turns]
    return sorted(crops)


def _write_crop(image: Image.Image, photograph: Path, turn: int) -> Path:
    from PIL import Image

    # A text as seed is hashed with SHA-512, alike in all versions and processes (random.seed, version 2).
    drawn = random.Random(f"{photograph.name} {turn}")
    area = drawn.uniform(*_AREA) * image.width * image.height
    aspect = drawn.uniform(*_ASPECT) * image.width / image.height
    width = min(image.width, round((area * aspect) ** 0.5))
    height = min(image.height, round((area / aspect) ** 0.5))
    left, top = drawn.randint(0, image.width - width), drawn.randint(0, image.height - height)
    target = photograph.with_name(f"{photograph.stem}-crop{turn:04}.jpg")
    box = (left, top, left + width, top + height)
    image.resize(image.size, Image.Resampling.BICUBIC, box=box).save(target, quality=JPEG_QUALITY)
    return target
