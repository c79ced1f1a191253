"""Photographs that installed packages ship, with their ImageNet classes."""

import csv
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DataError

FEWEST = 12
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Photograph:
    """One photograph: its package, its path there, and its ImageNet class if one fits."""

    package: str
    path: str
    index: int | None = None
    class_name: str = ""

    @property
    def file(self) -> str:
        return Path(self.path).with_suffix(".jpg").name


PHOTOGRAPHS = (
    Photograph("skimage", "data/astronaut.png"),
    Photograph("skimage", "data/brick.png"),
    Photograph("skimage", "data/camera.png"),
    Photograph("skimage", "data/cell.png"),
    Photograph("skimage", "data/chelsea.png", 285, "Egyptian cat"),
    Photograph("skimage", "data/clock_motion.png"),
    Photograph("skimage", "data/coffee.png", 967, "espresso"),
    Photograph("skimage", "data/coins.png"),
    Photograph("skimage", "data/grass.png"),
    Photograph("skimage", "data/gravel.png"),
    Photograph("skimage", "data/hubble_deep_field.jpg"),
    Photograph("skimage", "data/ihc.png"),
    Photograph("skimage", "data/moon.png"),
    Photograph("skimage", "data/motorcycle_left.png", 665, "moped"),
    Photograph("skimage", "data/motorcycle_right.png", 665, "moped"),
    Photograph("skimage", "data/page.png"),
    Photograph("skimage", "data/retina.jpg"),
    Photograph("skimage", "data/rocket.jpg", 657, "missile"),
    Photograph("sklearn", "datasets/images/china.jpg", 698, "palace"),
    Photograph("sklearn", "datasets/images/flower.jpg", 985, "daisy"),
)


def copy_packaged_photographs(folder: Path) -> int:
    """Writes the photographs, as JPEG files, and labels.csv to `folder`. Returns the number of photographs.

    Copies JPEG files unchanged, and encodes others. Leaves out those that the installed version of a package does not
    ship. Raises `DataError` if fewer than FEWEST are left.
    """
    found = [(photograph, path) for photograph in PHOTOGRAPHS if (path := _locate(photograph)) is not None]
    if len(found) < FEWEST:
        raise DataError(
            f"only {len(found)} of the {len(PHOTOGRAPHS)} photographs that scikit-image and scikit-learn "
            f"ship were found, and {FEWEST} are needed: pip install scikit-image scikit-learn "
            "(make setup does), or give your own images with --from URL-or-folder"
        )
    for photograph, path in found:
        if path.suffix == ".jpg":
            shutil.copyfile(path, folder / photograph.file)
        else:
            _encode(path, folder / photograph.file)
    _write_labels(folder / "labels.csv", [photograph for photograph, _ in found])
    return len(found)


def _locate(photograph: Photograph) -> Path | None:
    # Finding a package's folder takes a millisecond, importing it takes a second.
    spec = importlib.util.find_spec(photograph.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / photograph.path
        if path.is_file():
            return path
    return None


def _encode(path: Path, target: Path) -> None:
    try:
        # Imported here, so that its absence is reported like any other error.
        from PIL import Image
    except ImportError as error:
        raise DataError("Pillow is missing: pip install Pillow (make setup does)") from error
    with Image.open(path) as image:
        image.save(target, quality=JPEG_QUALITY)


def _write_labels(labels_csv: Path, photographs: list[Photograph]) -> None:
    with labels_csv.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("file", "index", "name"))
        for photograph in photographs:
            index = "" if photograph.index is None else photograph.index
            rows.writerow((photograph.file, index, photograph.class_name))
