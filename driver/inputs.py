"""What identifies the input and the weights of a run: figures of others are not comparable."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from driver.file_digests import file_digest, file_digests
from measurement.settings import Settings
from models import Weights, weights_digest

if TYPE_CHECKING:
    from datasets.images import ImageSet


def input_lines(
    settings: Settings, images: ImageSet | None, folder: Path, weights: Weights
) -> dict[str, str]:
    """The report lines that identify the images in `folder` or the generated data, and the weights.

    To be called before the measurement: reads the files that it does not know yet.
    """
    data = image_lines(images, folder) if images is not None else _generated_lines(settings)
    return {**data, **weights_line(weights)}


def image_lines(images: ImageSet, folder: Path) -> dict[str, str]:
    """Number and digest of the images: of their names in the folder, sizes and content, in order; and of the labels."""
    digests = file_digests(images.paths, folder)  # equal digests mean equal sizes, too
    names = [path.relative_to(folder).as_posix() for path in images.paths]
    labelled = sum(label is not None for label in images.labels)
    classes = ["" if label is None else str(label) for label in images.labels]
    return {
        "image_files": f"{len(names)} (sha256:{_of_texts([*names, *digests])})",
        "image_labels": f"{labelled} (sha256:{_of_texts(classes)})" if labelled else "0",
    }


def weights_line(weights: Weights) -> dict[str, str]:
    """The digest of the weights' file; for random weights, what determines them. Raises `ModelError`."""
    return {"weights_digest": weights_digest(weights, file_digest)}


def _generated_lines(settings: Settings) -> dict[str, str]:
    if settings.data == "real":  # with --compile-only, which needs no images
        return {}
    from datasets.generated import GENERATOR

    return {"generated_data": GENERATOR}


def _of_texts(texts: Sequence[str]) -> str:
    """SHA-256 in hexadecimal of texts, which contain no NUL."""
    return hashlib.sha256(b"\0".join(map(os.fsencode, texts))).hexdigest()
