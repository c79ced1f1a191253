"""The report lines that identify images, labels, generated data and weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark_parsers.driver import DriverParser
from datasets.generated import generated
from datasets.images import ImageSet, find_images
from driver.inputs import image_lines, input_lines, weights_line
from measurement.settings import resolve
from models import Weights
from models.weights import RANDOM_WEIGHTS


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty small images, of which nine have a label."""
    made = tmp_path / "images"
    made.mkdir()
    names = ["coffee.jpg", "coins.jpg", *(f"image{number:02}.jpg" for number in range(18))]
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (12 * number, 0, 0)).save(made / name)
    rows = [f"{name},{967 + number if number < 9 else ''}," for number, name in enumerate(names)]
    (made / "labels.csv").write_text("\n".join(["file,index,name", *rows]) + "\n")
    return made


def lines(folder: Path) -> dict[str, str]:
    return image_lines(find_images(folder), folder)


@pytest.mark.slow
def test_number_and_digest_of_images_and_labels_are_the_same_in_every_folder(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert lines(folder) == lines(tmp_path / "elsewhere" / "copy")
    assert lines(folder)["image_files"].startswith("20 (sha256:")
    assert lines(folder)["image_labels"].startswith("9 (sha256:")


@pytest.mark.slow
def test_another_name_content_or_number_of_images_is_another_digest(folder: Path) -> None:
    found = [lines(folder)["image_files"]]
    (folder / "coffee.jpg").rename(folder / "coffee2.jpg")
    found.append(lines(folder)["image_files"])
    shutil.copyfile(folder / "coins.jpg", folder / "coffee2.jpg")
    found.append(lines(folder)["image_files"])
    (folder / "coffee2.jpg").unlink()
    found.append(lines(folder)["image_files"])
    assert len(set(found)) == 4
    assert [text.split()[0] for text in found] == ["20", "20", "20", "19"]


@pytest.mark.slow
def test_other_labels_are_another_digest_of_the_same_images(folder: Path) -> None:
    before = lines(folder)
    labels = folder / "labels.csv"
    labels.write_text(labels.read_text().replace("coffee.jpg,967", "coffee.jpg,968"))
    after = lines(folder)
    assert after["image_files"] == before["image_files"]
    assert after["image_labels"] != before["image_labels"]
    labels.unlink()
    assert lines(folder)["image_labels"] == "0"


def test_images_that_cannot_be_read_are_part_of_the_digest_too(folder: Path) -> None:
    images = find_images(folder)
    (folder / "coffee.jpg").unlink()
    assert image_lines(images, folder)["image_files"].startswith("20 (sha256:")


def test_generated_data_is_identified_by_its_generator(folder: Path) -> None:
    for data in ("generated", "synthetic"):
        settings, _ = resolve({"data": data}, None, "cpu", "torch")
        assert input_lines(settings, None, folder, Weights("random")) == {
            "generated_data": "blotches, version 1, seed 0",
            "weights_digest": RANDOM_WEIGHTS,
        }


def test_version_1_of_the_generator_makes_these_images() -> None:
    """If this fails after a change of the generator, raise the version in `datasets.generated.GENERATOR`."""
    source = generated(
        image_size=32, micro_batch_size=1, device_iterations=1, dtype=np.dtype(np.uint8), normalize=None
    )
    coarse = source.next().micro_batches[0][0].reshape(3, 2, 16, 2, 16).mean(axis=(2, 4))
    # Within a grey level, as the interpolation may round differently on another CPU.
    assert coarse.ravel() == pytest.approx(
        [132.4, 136.9, 118.2, 117.4, 149.7, 167.3, 143.5, 121.8, 131.9, 125.2, 159.7, 131.7], abs=1
    )


def test_weights_are_identified_by_the_content_of_their_file_and_the_chosen_key(tmp_path: Path) -> None:
    file, copy, other = (tmp_path / name for name in ("a.pth", "b.pth", "c.pth"))
    for path, content in ((file, b"one"), (copy, b"one"), (other, b"two")):
        path.write_bytes(content)
    of = Weights("file:a.pth", file)
    assert weights_line(of) == weights_line(replace(of, file=copy))
    assert weights_line(of) != weights_line(replace(of, file=other))
    assert weights_line(of) != weights_line(replace(of, key="model_ema"))
    assert weights_line(of)["weights_digest"].startswith("sha256:7692c3ad")


def test_the_parser_reads_them_as_settings_whatever_the_digits() -> None:
    found = {
        "image_files": f"20 (sha256:{'1' * 64})",
        "image_labels": "0",
        "weights_digest": f"sha256:{'1e5' * 21}0",
        "generated_data": "blotches, version 1, seed 0",
        "exported_model": f"sha256:{'0' * 64}, sha256:{'1' * 64}",
    }
    parser = DriverParser()
    head = "m results:\n\tthroughput: 1.00 samples/sec (mean)\n\tlatency avg: 1.000 ms (mean)\n"
    parser.feed(head + "".join(f"\t{key}: {value}\n" for key, value in found.items()))
    assert parser.parsed().settings == found


def test_an_image_set_without_labels_has_none(folder: Path) -> None:
    images = find_images(folder)
    assert image_lines(ImageSet(images.paths, (None,) * 20), folder)["image_labels"] == "0"
