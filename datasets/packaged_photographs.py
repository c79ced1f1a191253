"""Photographs that installed packages ship, with their ImageNet classes, and crops of them."""

import csv
import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import DataError
from datasets.photograph_crops import JPEG_QUALITY, write_crops

COUNT, FEWEST = 20, 12
PACKAGES = ("matplotlib", "PyWavelets", "scikit-image", "scikit-learn")


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


# Taken with a camera, some through a telescope, a microscope or an ophthalmoscope; no drawings, scans or textures.
# Public domain (NASA, US Navy, CC0), Creative Commons (china and flower: CC BY 2.0), or under the package's own licence
# (BSD, MIT). Left out for theirs: mahotas' DepartmentStore and lena, and the ImageNet images in foolbox.
PHOTOGRAPHS = (
    Photograph("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    Photograph("pywt", "data/aero.npz"),
    Photograph("pywt", "data/ascent.npz", 421, "bannister"),
    Photograph("skimage", "data/astronaut.png"),
    Photograph("skimage", "data/camera.png", 872, "tripod"),
    Photograph("skimage", "data/chelsea.png", 285, "Egyptian cat"),
    Photograph("skimage", "data/clock_motion.png"),
    Photograph("skimage", "data/coffee.png", 967, "espresso"),
    Photograph("skimage", "data/coins.png"),
    Photograph("skimage", "data/hubble_deep_field.jpg"),
    Photograph("skimage", "data/ihc.png"),
    Photograph("skimage", "data/moon.png"),
    Photograph("skimage", "data/motorcycle_left.png", 665, "moped"),
    Photograph("skimage", "data/motorcycle_right.png", 665, "moped"),
    Photograph("skimage", "data/retina.jpg"),
    Photograph("skimage", "data/rocket.jpg", 657, "missile"),
    Photograph("sklearn", "datasets/images/china.jpg", 698, "palace"),
    Photograph("sklearn", "datasets/images/flower.jpg", 985, "daisy"),
)


def copy_packaged_photographs(folder: Path, count: int = COUNT) -> int:
    """Writes `count` images, as JPEG files, and labels.csv to `folder`. Returns `count`.

    These are the photographs, and crops of them for the rest. Copies JPEG files unchanged, and encodes others. Leaves
    out photographs that the installed version of a package does not ship. Raises `DataError` if fewer than FEWEST are
    left, or if there are more than `count`.
    """
    found = [(photograph, path) for photograph in PHOTOGRAPHS if (path := _locate(photograph)) is not None]
    if len(found) < FEWEST:
        raise DataError(
            f"only {len(found)} of the {len(PHOTOGRAPHS)} photographs that {', '.join(PACKAGES[:-1])} and "
            f"{PACKAGES[-1]} ship were found, and {FEWEST} are needed: pip install {' '.join(PACKAGES)} "
            "(make setup does), or give your own images with --from URL-or-folder"
        )
    if count < len(found):
        raise DataError(f"--count {count}: there are {len(found)} photographs; give {len(found)} or more")
    for photograph, path in found:
        if path.suffix == ".jpg":
            shutil.copyfile(path, folder / photograph.file)
        else:
            _encode(path, folder / photograph.file)
    crops = write_crops([folder / photograph.file for photograph, _ in found], count - len(found))
    _write_labels(folder / "labels.csv", [photograph for photograph, _ in found], crops)
    return count


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
    if path.suffix == ".npz":
        import numpy as np

        with np.load(path) as arrays:
            Image.fromarray(arrays["data"].astype(np.uint8)).save(target, quality=JPEG_QUALITY)
        return
    with Image.open(path) as image:
        image.save(target, quality=JPEG_QUALITY)


def _write_labels(labels_csv: Path, photographs: Sequence[Photograph], crops: Sequence[Path]) -> None:
    """Crops get no class: what a photograph shows may lie outside of them."""
    with labels_csv.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("file", "index", "name"))
        for photograph in photographs:
            index = "" if photograph.index is None else photograph.index
            rows.writerow((photograph.file, index, photograph.class_name))
        rows.writerows((crop.name, "", "") for crop in crops)
