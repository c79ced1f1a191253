"""Whether the engines compute the same: writes docs/accuracy.md (`make accuracy`).

Exit code 1 if they do not.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.transforms import v2  # type: ignore[import-untyped]

from backends import registry
from bench.command import ROOT
from bench.page import measured_on, renew_section
from datasets.decode import decode_rgb
from datasets.images import find_images
from measurement.machine import has_native_bfloat16
from measurement.settings import resolve
from models import build_model, input_spec, model_names

PHOTOGRAPHS = ROOT / "data" / "images"
PAGE = ROOT / "docs" / "accuracy.md"
HEAD = """# Accuracy

Whether the engines compute the same results. Written by `make accuracy`, which takes about half an hour. The second
table is renewed only on a CPU with native bfloat16, because the driver computes in float32 elsewhere. A value that
misses its target is printed in bold, and the exit code is then 1.
"""
FLOAT32, SIXTEEN_BIT = "float32: largest difference from eager PyTorch", "16 bits: same top-1 as float32"
ENGINES = ("openvino", "onnxruntime", "torch", "torch-compile")
SIXTEEN_BIT_ENGINES = ("openvino", "torch", "torch-compile")
LITE0 = "efficientnet-lite0"
VIEWS = 200
MICRO_BATCH_SIZE = 8
LARGEST_DIFFERENCE = 1e-4
SMALLEST_SHARE = 0.95
BOLD = "**"


def main() -> int:
    """Exit code 0, or 1 if a value misses its target."""
    on_target = _renewed(FLOAT32, _float32())
    if not has_native_bfloat16():
        print(f"this CPU has no native bfloat16: section {SIXTEEN_BIT!r} is not renewed", file=sys.stderr)
        return int(not on_target)
    return int(not (_renewed(SIXTEEN_BIT, _sixteen_bit()) and on_target))


def _renewed(name: str, measured: Iterator[str]) -> bool:
    lines = []
    for line in measured:
        print(line, flush=True)
        lines.append(line)
    renew_section(PAGE, HEAD, (FLOAT32, SIXTEEN_BIT), name, lines)
    return not any(BOLD in line for line in lines)


def _cell(text: str, on_target: bool) -> str:
    return text if on_target else f"{BOLD}{text}{BOLD}"


def _float32() -> Iterator[str]:
    yield measured_on()
    yield "Same weights, same 8 views of the photographs, as a share of the largest logit. Target: at most 1e-4."
    yield ""
    others = [name for name in ENGINES if name != "torch"]
    yield f"| model | {' | '.join(others)} |"
    yield "| --- |" + " --- |" * len(others)
    paths = find_images(PHOTOGRAPHS).paths
    for model in model_names():
        pixels = _views(model, paths, MICRO_BATCH_SIZE)
        reference, _ = _logits(model, "torch", "32.32", pixels)
        largest = np.abs(reference).max()
        differences = [
            np.abs(_logits(model, name, "32.32", pixels)[0] - reference).max() / largest for name in others
        ]
        cells = [_cell(f"{share:.1e}", share <= LARGEST_DIFFERENCE) for share in differences]
        yield f"| {model} | {' | '.join(cells)} |"


def _sixteen_bit() -> Iterator[str]:
    yield measured_on()
    yield (
        f"{LITE0} with its ImageNet weights on {VIEWS} views: ten crops at three sizes of each photograph that shows "
        "one of ImageNet's classes, and ten crops of every photograph. Many photographs show none of the classes, so "
        "that their largest logits are nearly equal. Target: at least 95%."
    )
    yield ""
    yield "| engine | computes in | same top-1: photographs with a class | all photographs |"
    yield "| --- | --- | --- | --- |"
    size = input_spec(LITE0).image_size
    usual = size * 256 / 224
    sets = [
        _views(LITE0, _labelled(), VIEWS, (usual, usual * 9 / 8, usual * 5 / 4)),
        _views(LITE0, find_images(PHOTOGRAPHS).paths, VIEWS),
    ]
    classes = [_logits(LITE0, "torch", "32.32", pixels)[0].argmax(axis=-1) for pixels in sets]
    for engine in SIXTEEN_BIT_ENGINES:
        found = [_logits(LITE0, engine, "16.16", pixels) for pixels in sets]
        same = [
            np.mean(logits.argmax(-1) == known) for (logits, _), known in zip(found, classes, strict=True)
        ]
        cells = [_cell(f"{share:.1%}", share >= SMALLEST_SHARE) for share in same]
        yield f"| {engine} | {found[0][1]} | {' | '.join(cells)} |"


def _labelled() -> list[Path]:
    with (PHOTOGRAPHS / "labels.csv").open(encoding="utf-8", newline="") as rows:
        return [PHOTOGRAPHS / row["file"] for row in csv.DictReader(rows) if row["index"]]


def _views(
    model: str, paths: Sequence[Path], number: int, short_sides: Sequence[float] = ()
) -> NDArray[np.float32]:
    """Ten crops of each photograph, normalised: `(number, 3, height, width)` float32, always the same.

    Resizes each photograph to each of `short_sides` (default: 256/224 of the input), and takes the four corners and
    the centre, each also mirrored. The first views are the first crop of each photograph.
    """
    spec = input_spec(model)
    crops = [
        [
            crop
            for side in short_sides or [spec.image_size * 256 / 224]
            for crop in v2.functional.ten_crop(
                v2.functional.resize(photograph, [round(side)], antialias=True), [spec.image_size] * 2
            )
        ]
        for photograph in map(decode_rgb, paths)
    ]
    views = [crops[index % len(crops)][index // len(crops)].numpy() for index in range(number)]
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (spec.mean, spec.std))
    return np.ascontiguousarray((np.stack(views) / np.float32(255) - mean) / std, np.float32)


def _logits(
    model: str, engine: str, precision: str, pixels: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str]:
    """Logits `(len(pixels), classes)`, and the dtype that the engine computed in."""
    flags = {
        "model": model,
        "data": "generated",
        "precision": precision,
        "micro_batch_size": MICRO_BATCH_SIZE,
        "device_iterations": len(pixels) // MICRO_BATCH_SIZE,
    }
    settings, _ = resolve(flags, None, "cpu", engine)
    batches = pixels.reshape(-1, MICRO_BATCH_SIZE, *pixels.shape[1:])
    module = build_model(model).module
    executable = registry.choose(engine, "cpu").compile(module, batches[0], settings)
    outputs = executable.run(list(batches)).outputs.reshape(len(pixels), -1).copy()
    executable.close()
    return outputs, executable.effective.dtype


if __name__ == "__main__":
    sys.exit(main())
