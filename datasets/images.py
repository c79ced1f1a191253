"""Finds the images in a folder, with their labels, in the order in which a run uses them."""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datasets.decode import DecodeError, decode_rgb
from datasets.errors import DataError
from datasets.image_files import LABELS_FILE, SUFFIXES, is_image_name, printable
from datasets.labels import labels_from_csv, labels_from_folders

# Before a run, this many files and bytes are decoded once to find damaged ones: a second or two at most. Later damaged
# files are found, counted and replaced during the run.
CHECKED_FILES = 512
CHECKED_BYTES = 64 * 2**20

NAMED_IN_WARNING = 3


@dataclass(frozen=True)
class ImageSet:
    """Images in the order in which a run uses them.

    `labels[i]` is the class index of `paths[i]`, or None. `skipped` names the files left out because they cannot be
    decoded; `warnings` are lines for the user.
    """

    paths: tuple[Path, ...]
    labels: tuple[int | None, ...]
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_images(folder: Path, labels_csv: Path | None = None, *, workers: int = 1) -> ImageSet:
    """Finds the images below `folder`, sorted by their relative path, with their labels.

    Labels come from `labels_csv`, else from `labels.csv` in the folder, else from the names of the class folders
    (ImageNet's validation layout). Skips hidden files and folders. Leaves out damaged files among the first
    CHECKED_FILES (and CHECKED_BYTES), which `workers` threads decode, with one warning.
    Raises `DataError`, with the remedy, if the folder is missing or contains no usable image, or if the labels are not
    readable.
    """
    names = _image_names(folder)
    broken = _broken_files(folder, names, workers)
    usable = [name for name in names if name not in broken]
    if not usable:
        raise DataError(
            f"{folder}: none of the {len(names)} image files can be decoded "
            f"({_first_few(list(broken.values()))}): give a folder of JPEG images "
            "with --images DIR, or run datasets/get_images.sh"
        )
    labels, warnings = _labels(folder, usable, known=set(names), labels_csv=labels_csv)
    if broken:
        warnings = (
            f"{folder}: {len(broken)} of {len(names)} image files cannot be decoded and are left out: "
            f"{_first_few(list(broken.values()))}",
            *warnings,
        )
    return ImageSet(
        paths=tuple(folder / name for name in usable),
        labels=labels,
        skipped=tuple(broken),
        warnings=warnings,
    )


def partition(images: ImageSet, rank: int, world_size: int) -> ImageSet:
    """The share of one process among `world_size`, in the order in which it uses it.

    Round-robin: image i of rank r is number `r + i * world_size` of the endlessly repeated set, so that in each pass
    over the set every image is used by exactly one rank.
    """
    if not 0 <= rank < world_size:
        raise DataError(f"rank {rank} is not one of {world_size} processes: expected 0..{world_size - 1}")
    total = len(images.paths)
    period = total // math.gcd(total, world_size)
    share = [(rank + i * world_size) % total for i in range(period)]
    return ImageSet(
        paths=tuple(images.paths[i] for i in share), labels=tuple(images.labels[i] for i in share)
    )


def _image_names(folder: Path) -> list[str]:
    if not folder.exists():
        raise DataError(
            f"{folder}: no such folder of images: run datasets/get_images.sh, "
            "or give your own with --images DIR"
        )
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of images, not a file: give one with --images DIR")
    names = sorted(_walk(folder))
    if not names:
        raise DataError(
            f"{folder}: no image files ({', '.join(sorted(SUFFIXES))}) in it or below: run "
            "datasets/get_images.sh, or give your own folder with --images DIR"
        )
    return names


def _walk(folder: Path) -> Iterator[str]:
    """Yields relative paths of image files; follows each link to a folder once, so that loops end."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: {error.strerror}: make the folder readable") from error

    visited = set()
    for current, subfolders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(current)
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in files:
            if is_image_name(name):
                yield (Path(current) / name).relative_to(folder).as_posix()


def _broken_files(folder: Path, names: Sequence[str], workers: int) -> dict[str, str]:
    """`{relative path: "relative path (reason)"}` of the files that cannot be decoded, in order."""

    def problem(name: str) -> str | None:
        try:
            decode_rgb(folder / name)
        except DecodeError as error:
            return f"{name} ({error.reason})"
        return None

    checked = _within_check_limits(folder, names)
    with ThreadPoolExecutor(workers) as pool:
        problems = pool.map(problem, checked)
        return {name: found for name, found in zip(checked, problems, strict=True) if found is not None}


def _within_check_limits(folder: Path, names: Sequence[str]) -> list[str]:
    checked: list[str] = []
    total_bytes = 0
    for name in names[:CHECKED_FILES]:
        with suppress(OSError):  # such as a dangling link: decoding it reports the reason
            total_bytes += (folder / name).stat().st_size
        if checked and total_bytes > CHECKED_BYTES:
            break
        checked.append(name)
    return checked


def _labels(
    folder: Path, names: Sequence[str], known: set[str], labels_csv: Path | None
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    in_folder = folder / LABELS_FILE
    if labels_csv is None and in_folder.is_file():
        labels_csv = in_folder
    if labels_csv is None:
        return labels_from_folders(names)
    by_name = labels_from_csv(labels_csv)
    absent = [name for name in by_name if name not in known]
    warnings: tuple[str, ...] = ()
    if absent:
        warnings = (
            f"{labels_csv}: {len(absent)} of its {len(by_name)} files are not in {folder}: "
            f"{_first_few(absent)}",
        )
    return tuple(by_name.get(name) for name in names), warnings


def _first_few(items: Sequence[str]) -> str:
    named = ", ".join(map(printable, items[:NAMED_IN_WARNING]))
    return named if len(items) <= NAMED_IN_WARNING else f"{named}, and {len(items) - NAMED_IN_WARNING} more"
