"""What decoding promises for every kind of file that an image folder may hold."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from datasets import decode
from datasets.decode import DecodeError, decode_rgb

ORIENTATION = 0x0112


def as_pillow_decodes(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB")).transpose(2, 0, 1).astype(int)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("colour.jpg", "RGB"),
        ("grey.jpg", "L"),
        ("cmyk.jpg", "CMYK"),
        ("colour.png", "RGB"),
        ("transparent.png", "RGBA"),
        ("palette.png", "P"),
        ("grey_with_alpha.png", "LA"),
        ("bitmap.png", "1"),
        ("a.webp", "RGB"),
        ("a.gif", "P"),
        ("a.bmp", "RGB"),
        ("a.tiff", "RGB"),
    ],
)
def test_every_colour_mode_and_format_becomes_the_rgb_that_pillow_sees(
    saved: Callable[..., Path], name: str, mode: str
) -> None:
    path = saved(name, mode)
    pixels = decode_rgb(path).numpy()
    assert pixels.dtype == np.uint8
    assert pixels.shape == (3, 300, 451)
    assert np.abs(pixels - as_pillow_decodes(path)).max() <= 1


@pytest.mark.parametrize("torchvision_turns", [True, False])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright_by_their_exif_orientation(
    saved: Callable[..., Path], orientation: int, torchvision_turns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "TORCHVISION_TURNS", torchvision_turns)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved("turned.jpg", exif=exif)
    pixels = decode_rgb(path).numpy()
    assert pixels.shape == ((3, 300, 451) if orientation < 5 else (3, 451, 300))
    assert np.abs(pixels - as_pillow_decodes(path)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["turned.webp", "turned.png", "turned.tiff"])
def test_other_formats_are_turned_upright_too(
    saved: Callable[..., Path], name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(name, exif=exif)
    pixels = decode_rgb(path).numpy()
    assert pixels.shape == ((3, 300, 451) if orientation < 5 else (3, 451, 300))
    assert np.abs(pixels - as_pillow_decodes(path)).max() <= 1


def test_a_name_that_suggests_another_format_does_not_matter(saved: Callable[..., Path]) -> None:
    png = saved("really.png")
    jpg = png.rename(png.with_suffix(".jpg"))
    assert decode_rgb(jpg).shape == (3, 300, 451)


def test_16_bit_pixels_keep_their_brightness(saved: Callable[..., Path], tmp_path: Path) -> None:
    with Image.open(saved("grey.png", "L")) as image:
        grey = np.asarray(image)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert (decode_rgb(tmp_path / "deep.png")[0].numpy() == grey).all()


@pytest.mark.parametrize("name", ["deep.tiff", "big_endian.tiff", "turned.tiff", "deep.pgm", "deep.jp2"])
def test_grey_of_16_bits_keeps_its_brightness_in_every_format(
    saved: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    with Image.open(saved("grey.png", "L")) as image:
        grey = np.asarray(image)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    exif = Image.Exif()
    if name == "turned.tiff":
        exif[ORIENTATION] = 6
        grey = np.rot90(grey, -1)
    if name == "big_endian.tiff":
        deep = Image.frombytes("I;16B", deep.size, (grey.astype(np.uint16) * 257).astype(">u2").tobytes())
    options = {"exif": exif} if name == "turned.tiff" else {}
    deep.save(tmp_path / name, **options)
    pixels = decode_rgb(tmp_path / name).numpy()
    assert pixels.shape == (3, *grey.shape)
    assert (pixels == grey).all()


@pytest.mark.parametrize("pixels", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 70_000, np.int32)])
def test_pixels_of_32_bits_are_refused_instead_of_clipped(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "deep.tiff")
    with pytest.raises(DecodeError, match=r"deep\.tiff: its pixels have 32 bits .*save 8 or 16 bits"):
        decode_rgb(tmp_path / "deep.tiff")


def test_an_animation_gives_its_first_frame(saved: Callable[..., Path], tmp_path: Path) -> None:
    with Image.open(saved("a.png", "P")) as first:
        first.save(tmp_path / "moves.gif", save_all=True, append_images=[ImageOps.flip(first)])
    assert (
        np.abs(decode_rgb(tmp_path / "moves.gif").numpy() - as_pillow_decodes(tmp_path / "moves.gif")).max()
        <= 1
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "truncated"), (b"", "empty"), (b"I am text, not a photograph\n" * 50, "not an image")],
    ids=["truncated", "empty", "text"],
)
def test_a_broken_file_is_refused_with_its_name_and_reason(
    saved: Callable[..., Path], content: bytes | None, reason: str
) -> None:
    path = saved("broken.jpg")
    path.write_bytes(path.read_bytes()[:9000] if content is None else content)
    with pytest.raises(DecodeError, match=rf"broken\.jpg: .*{reason}"):
        decode_rgb(path)


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"gone\.jpg: No such file"):
        decode_rgb(tmp_path / "gone.jpg")
