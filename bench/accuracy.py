"""Whether the engines compute the same: writes docs/accuracy.md (`make accuracy`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.transforms import v2  # type: ignore[import-untyped]

from backends import registry
from datasets.decode import decode_rgb
from datasets.images import find_images
from measurement.machine import cpu_model, has_native_bfloat16
from measurement.settings import resolve
from models import build_model, input_spec, model_names

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "accuracy.md"
ENGINES = ("openvino", "onnxruntime", "torch", "torch-compile")
COMPILED = ("resnet50", "mobilenet-v3-small", "efficientnet-b0")  # inductor takes minutes for the larger ones
SIXTEEN_BIT = ("openvino", "torch", "torch-compile")
VIEWS = 200
MICRO_BATCH_SIZE = 8


def main() -> int:
    lines = [*_head(), *_float32(), "", *_sixteen_bit()]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written: {PAGE}", file=sys.stderr)
    return 0


def _head() -> list[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "openvino", "onnxruntime", "timm"))
    return [
        "# Accuracy",
        "",
        f"Written by `make accuracy` on {cpu_model()}, {'with' if has_native_bfloat16() else 'without'} native "
        f"bfloat16; {packages}.",
        "",
    ]


def _float32() -> Iterator[str]:
    yield "## float32: largest difference from eager PyTorch"
    yield ""
    yield "Same weights, same 8 views of the photographs, as a share of the largest logit; wanted: at most 1e-4."
    yield ""
    others = [name for name in ENGINES if name != "torch"]
    yield f"| model | {' | '.join(others)} |"
    yield "| --- |" + " --- |" * len(others)
    for model in model_names():
        pixels = _views(model, MICRO_BATCH_SIZE)
        reference, _ = _logits(model, "torch", "32.32", pixels)
        cells = []
        for engine in others:
            if engine == "torch-compile" and model not in COMPILED:
                cells.append("not run")
                continue
            difference = np.abs(_logits(model, engine, "32.32", pixels)[0] - reference).max()
            cells.append(f"{difference / np.abs(reference).max():.1e}")
        print(model, *cells, flush=True)
        yield f"| {model} | {' | '.join(cells)} |"


def _sixteen_bit() -> Iterator[str]:
    yield "## 16 bits: same top-1 as float32"
    yield ""
    yield (
        f"efficientnet-lite0 with its ImageNet weights on {VIEWS} views: ten crops of each photograph; "
        "wanted: at least 95%."
    )
    yield ""
    yield "| engine | computes in | same top-1 |"
    yield "| --- | --- | --- |"
    pixels = _views("efficientnet-lite0", VIEWS)
    reference = _logits("efficientnet-lite0", "torch", "32.32", pixels)[0].argmax(axis=-1)
    for engine in SIXTEEN_BIT:
        logits, dtype = _logits("efficientnet-lite0", engine, "16.16", pixels)
        line = f"| {engine} | {dtype} | {np.mean(logits.argmax(axis=-1) == reference):.1%} |"
        print(line, flush=True)
        yield line


def _views(model: str, number: int) -> NDArray[np.float32]:
    """Ten crops of each photograph, normalised: `(number, 3, height, width)` float32, always the same.

    The usual ten: the four corners and the middle of the image whose short side is 256/224 of the input,
    and their mirror images. The first views are of the first crop of all photographs.
    """
    spec = input_spec(model)
    photographs = [decode_rgb(path) for path in find_images(ROOT / "data" / "images").paths]
    resize = v2.Resize(round(spec.image_size * 256 / 224), antialias=True)
    crops = [v2.functional.ten_crop(resize(image), [spec.image_size] * 2) for image in photographs]
    views = [crops[index % len(crops)][index // len(crops)].numpy() for index in range(number)]
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (spec.mean, spec.std))
    return np.ascontiguousarray((np.stack(views) / np.float32(255) - mean) / std, np.float32)


def _logits(
    model: str, engine: str, precision: str, pixels: NDArray[np.float32]
) -> tuple[NDArray[np.float32], str]:
    """Logits `(len(pixels), classes)`, and the dtype that the engine really computed in."""
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
