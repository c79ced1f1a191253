"""The classes of images, from a table or from the names of their folders."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from datasets.errors import DataError

COLUMNS = ("file", "index", "name")
IMAGENET_CLASSES = 1000
_MOST_DIGITS = 9  # of a class number


def labels_from_csv(labels_csv: Path) -> dict[str, int | None]:
    """Reads a table with the columns file, index and name as `{file: class index, or None if empty}`.

    `file` is a path relative to the folder of images. The name is for people and not used.
    Raises `DataError`, naming file and line.
    """
    try:
        text = labels_csv.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{labels_csv}: {error.strerror or error}: give a readable table with --labels FILE"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{labels_csv}: not UTF-8 text: save it as a CSV file in UTF-8") from error

    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    try:
        return _labels_of(rows, labels_csv)
    except csv.Error as error:
        raise DataError(
            f"{labels_csv}:{rows.line_num + 1}: not a line of a CSV file: {error}: it needs the columns "
            f"{','.join(COLUMNS)}"
        ) from error


def _labels_of(rows: "csv.DictReader[str]", labels_csv: Path) -> dict[str, int | None]:
    missing = [column for column in COLUMNS[:2] if column not in (rows.fieldnames or ())]
    if missing:
        raise DataError(
            f"{labels_csv}:1: no column {' and '.join(missing)}: the first line must be {','.join(COLUMNS)}"
        )
    labels: dict[str, int | None] = {}
    for row in rows:
        where = f"{labels_csv}:{rows.line_num}"
        name = PurePosixPath((row["file"] or "").strip()).as_posix()
        if name in labels:
            raise DataError(f"{where}: duplicate line for {name}: keep one of them")
        labels[name] = _class_index((row["index"] or "").strip(), where)
    return labels


def labels_from_folders(names: Sequence[str]) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    """The labels of images in class folders, from their relative paths, and warnings.

    Class folders are named by WordNet id (`n02124075`, ImageNet's validation layout) or by class index (0..999). If any
    image is elsewhere, no image gets a label.
    """
    folders = [PurePosixPath(name).parent.name for name in names]
    distinct = sorted(set(folders))
    if all(re.fullmatch(r"n\d{8}", folder) for folder in distinct):
        return _labels_from_wordnet_ids(folders, distinct)
    if all(re.fullmatch(r"\d{1,4}", folder) and int(folder) < IMAGENET_CLASSES for folder in distinct):
        return tuple(int(folder) for folder in folders), ()
    return (None,) * len(names), ()


def _labels_from_wordnet_ids(
    folders: Sequence[str], distinct: Sequence[str]
) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    index_of = _imagenet_index(distinct)
    if index_of is None:
        return (None,) * len(folders), (
            "class folders named by WordNet id need the package timm (pip install timm), or a --labels FILE; "
            "no image has a label",
        )
    unknown = [folder for folder in distinct if folder not in index_of]
    warnings: tuple[str, ...] = ()
    if unknown:
        warnings = (
            f"{len(unknown)} class folders are not among ImageNet's 1000 classes, so their images have no "
            f"label: {', '.join(unknown[:3])}{', …' if len(unknown) > 3 else ''}",
        )
    return tuple(index_of.get(folder) for folder in folders), warnings


def _imagenet_index(distinct: Sequence[str]) -> dict[str, int] | None:
    # ImageNet numbers its classes in the order of their WordNet ids: a full set needs no table.
    if len(distinct) == IMAGENET_CLASSES:
        return {wordnet_id: index for index, wordnet_id in enumerate(distinct)}
    try:
        # Imported here, as it takes seconds and no other layout needs it.
        from timm.data.imagenet_info import ImageNetInfo
    except ImportError:
        return None
    return {wordnet_id: index for index, wordnet_id in enumerate(ImageNetInfo().label_names())}  # type: ignore[no-untyped-call]


def _class_index(text: str, where: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or len(text) > _MOST_DIGITS:
        raise DataError(
            f"{where}: index {text[:40]!r} is not a class number: expected 0, 1, 2, ..., or nothing for no label"
        )
    return int(text)
