"""The pixels that models see: as Pillow would resize them, in the data type that was asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datasets import DataError
from datasets.pixels import pixel_writer
from datasets.preprocess import preprocess

PILLOW_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def preprocess_with_pillow(path: Path, image_size: int, interpolation: str) -> np.ndarray:
    short = round(image_size * 256 / 224)
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    scale = short / min(width, height)
    size = (max(short, int(width * scale)), max(short, int(height * scale)))
    image = image.resize(size, PILLOW_FILTERS[interpolation])
    left, top = round((size[0] - image_size) / 2), round((size[1] - image_size) / 2)
    return np.asarray(image.crop((left, top, left + image_size, top + image_size))).transpose(2, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("image_size", [224, 380])
def test_every_photograph_differs_from_pillows_by_at_most_2_in_255(
    photographs: Path, image_size: int, interpolation: str
) -> None:
    paths = sorted(photographs.glob("*.jpg"))
    assert len(paths) >= 12
    for path in paths:
        pixels = preprocess(path, image_size, interpolation)
        assert pixels.shape == (3, image_size, image_size)
        assert pixels.dtype == np.uint8
        expected = preprocess_with_pillow(path, image_size, interpolation)
        assert np.abs(pixels.astype(int) - expected).max() <= 2, path.name


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (256, 256), (257, 255)])
def test_tiny_thin_and_exactly_fitting_images_come_out_in_full_size(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (10, 200, 90)).save(tmp_path / "plain.png")
    pixels = preprocess(tmp_path / "plain.png", 64, "bilinear")
    assert pixels.shape == (3, 64, 64)
    assert (pixels == np.array([10, 200, 90]).reshape(3, 1, 1)).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(9, 80), (80, 9), (17, 500), (1000, 31), (2000, 100), (3, 700)])
def test_the_centre_of_a_thin_image_is_that_of_the_whole_resized_image(
    tmp_path: Path, size: tuple[int, int], interpolation: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "thin.png")
    pixels = preprocess(tmp_path / "thin.png", 64, interpolation)
    expected = preprocess_with_pillow(tmp_path / "thin.png", 64, interpolation)
    assert np.abs(pixels.astype(int) - expected).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("size", [(60_000, 4), (1, 60_000)])
def test_a_long_thin_image_needs_little_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size, (10, 200, 90)).save(tmp_path / "thin.png")
    program = (
        "import sys\nfrom pathlib import Path\nfrom datasets.preprocess import preprocess\n"
        "from measurement.peak_memory import peak_mib\n"
        "before = peak_mib()\npreprocess(Path(sys.argv[1]), 224, 'bilinear')\nprint(peak_mib() - before)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "thin.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert float(done.stdout) < 100  # MiB


def test_an_unknown_interpolation_is_refused_with_those_there_are(photographs: Path) -> None:
    with pytest.raises(DataError, match=r"nearest.*bicubic.*bilinear"):
        preprocess(photographs / "coffee.jpg", 224, "nearest")


@given(
    seed=st.integers(0, 2**32 - 1),
    mean=st.tuples(*[st.floats(0, 1)] * 3),
    std=st.tuples(*[st.floats(0.05, 2)] * 3),
)
def test_normalisation_is_pixels_by_255_less_mean_by_std(
    seed: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 8, 8), np.uint8)
    column = (3, 1, 1)
    expected = (pixels / 255 - np.reshape(mean, column)) / np.reshape(std, column)
    for dtype, tolerance in ((np.float32, 2e-5), (np.float16, 2e-2)):
        out = np.zeros((3, 8, 8), dtype)
        pixel_writer(8, np.dtype(dtype), (mean, std))(pixels, out)
        np.testing.assert_allclose(out, expected, atol=tolerance, rtol=1e-3)


def test_without_normalisation_floats_lie_between_0_and_1_and_bytes_stay_bytes() -> None:
    pixels = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    as_float = np.empty((3, 8, 8), np.float32)
    pixel_writer(8, np.dtype(np.float32), None)(pixels, as_float)
    np.testing.assert_allclose(as_float, pixels / 255, rtol=1e-6)
    as_bytes = np.empty((3, 8, 8), np.uint8)
    pixel_writer(8, np.dtype(np.uint8), None)(pixels, as_bytes)
    assert (as_bytes == pixels).all()


def test_normalising_8_bit_output_is_refused_with_the_flags_to_change() -> None:
    with pytest.raises(DataError, match=r"--eight-bit-io.*--normalization-location"):
        pixel_writer(8, np.dtype(np.uint8), ((0.5,) * 3, (0.5,) * 3))


def test_an_unknown_data_type_is_refused() -> None:
    with pytest.raises(DataError, match="float64"):
        pixel_writer(8, np.dtype(np.float64), None)
