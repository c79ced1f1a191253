"""Real photographs for the tests, from those that packages ship."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def few(photographs: Path, tmp_path: Path) -> Path:
    """A folder of five small photographs, a.jpg to e.jpg, that a test may change."""
    folder = tmp_path / "few"
    folder.mkdir()
    for letter, name in zip("abcde", ["chelsea", "coffee", "coins", "camera", "astronaut"], strict=True):
        (folder / f"{letter}.jpg").write_bytes((photographs / f"{name}.jpg").read_bytes())
    return folder


@pytest.fixture
def saved(photographs: Path, tmp_path: Path) -> Callable[..., Path]:
    """`saved(name, mode=..., **save options)`: the photograph of a cat in another mode or format."""

    def save(name: str, mode: str = "RGB", **options: object) -> Path:
        path = tmp_path / name
        with Image.open(photographs / "chelsea.jpg") as image:
            image.convert(mode).save(path, **options)
        return path

    return save
