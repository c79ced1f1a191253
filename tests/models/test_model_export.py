"""Every surgery survives the way to the engines, and computes the same there."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from torch import nn

from models import EfficientNetOptions, NormOptions, build_model
from models.surgery import normalize_in_model, pad_input_channels, split

pytestmark = pytest.mark.engine

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZE = 64


def _small() -> nn.Module:
    return build_model("mobilenet-v3-small", weights="random").module


def _small_without_norms() -> nn.Module:
    return build_model("mobilenet-v3-small", weights="random", norm=NormOptions("none")).module


def _g16_gn() -> nn.Module:
    return build_model(
        "efficientnet-b0",
        weights="random",
        norm=NormOptions("group", eps=1e-3, num_groups=4),
        efficientnet=EfficientNetOptions(expand_ratio=4, group_dim=16),
    ).module


def _in_model(module: nn.Module) -> nn.Module:
    return normalize_in_model(module, MEAN, STD, eight_bit=True)


def _padded_in_model(module: nn.Module) -> nn.Module:
    return pad_input_channels(_in_model(module))


def _images(channels: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (2, channels, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    return images if dtype == torch.uint8 else images.to(dtype) / 255


EIGHT_BIT = _images(3, torch.uint8)
CASES = [
    pytest.param(_small_without_norms, _images(3, torch.float32), id="mobilenet-v3-small-no-norm"),
    pytest.param(lambda: _padded_in_model(_g16_gn()), _images(4, torch.uint8), id="g16-gn-padded-eight-bit"),
]


def _expected(module: nn.Module, images: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        return module(images).numpy()


def _assert_equal(actual: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()


# The exporter takes seconds a model; the others reach ONNX Runtime in stages below.
@pytest.mark.parametrize(("build", "images"), CASES[-1:])
def test_onnx_runtime_computes_the_same(build: Callable[[], nn.Module], images: torch.Tensor) -> None:
    module = build()
    _assert_equal(_on_onnx_runtime(module, (images,))[0], _expected(module, images))


@pytest.mark.parametrize(("build", "images"), CASES)
def test_openvino_computes_the_same(build: Callable[[], nn.Module], images: torch.Tensor) -> None:
    module = build()
    _assert_equal(_on_openvino(module, (images,))[0], _expected(module, images))


# That stages reach ONNX Runtime is in tests/backends/test_pipeline.py, too.
@pytest.mark.parametrize("engine", [pytest.param("onnxruntime", marks=pytest.mark.full), "openvino"])
def test_stages_run_one_after_the_other_on_engines(engine: str) -> None:
    module = _in_model(_small())
    # The second cut lies inside a residual block: two values cross it.
    stages = split(module, ["blocks/1", "blocks/2/1/bn2"])
    run = _on_onnx_runtime if engine == "onnxruntime" else _on_openvino
    values: tuple[torch.Tensor, ...] = (EIGHT_BIT,)
    widths = []
    for stage in stages:
        values = tuple(torch.from_numpy(value) for value in run(stage, values))
        widths.append(len(values))
    assert widths == [1, 2, 1]
    _assert_equal(values[0].numpy(), _expected(module, EIGHT_BIT))


def _on_onnx_runtime(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    program = torch.onnx.export(module, inputs, dynamo=True, verbose=False)
    assert program is not None
    file = io.BytesIO()
    program.save(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    feeds = {given.name: value.numpy() for given, value in zip(session.get_inputs(), inputs, strict=True)}
    return [np.array(output) for output in session.run(None, feeds)]


def _on_openvino(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> list[np.ndarray]:
    converted = openvino.convert_model(module, example_input=inputs)
    # Float32 is asked for, as OpenVINO would take bfloat16 where the processor has it.
    compiled = openvino.compile_model(
        converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    result = compiled([value.numpy() for value in inputs])
    return [np.array(result[output]) for output in compiled.outputs]
