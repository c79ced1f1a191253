"""Inductor keeps the same promises; it compiles for long, so one small model has to do."""

import copy
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.pipeline import compile_pipeline
from measurement.machine import cores_in_use
from measurement.settings import resolve
from models.surgery import normalize_in_model, split
from tests.backends.conftest import CompileFixture

pytestmark = pytest.mark.engine


def test_compiled_code_gives_the_eager_models_outputs_and_sees_new_pixels(
    compiled: CompileFixture, small_model: nn.Module
) -> None:
    run = compiled("torch-compile", precision="32.32", device_iterations=2)
    run.batches[1][:] = 0.5
    outputs = run.executable.run(run.batches).outputs
    with torch.inference_mode():
        expected = [small_model(torch.from_numpy(batch)).numpy() for batch in run.batches]
    np.testing.assert_allclose(outputs, np.stack(expected), rtol=1e-4, atol=1e-5)
    assert run.executable.effective.engine == "torch-compile"
    assert run.executable.effective.dtype == "float32"


def test_it_keeps_synthetic_data_and_takes_eight_bit_pixels_with_as_many_threads_as_asked(
    compiled: CompileFixture,
) -> None:
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    model = normalize_in_model(bare, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3), eight_bit=True)
    settings = resolve(
        {"data": "synthetic", "eight_bit_io": True, "precision": "32.32", "micro_batch_size": 2, "threads": 1},
        None, "cpu", "torch-compile",
    )[0]  # fmt: skip
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16), np.uint8)
    with torch.inference_mode():
        expected = model(torch.from_numpy(pixels)).numpy()
    executable = registry.choose("torch-compile", "cpu").compile(copy.deepcopy(model), pixels, settings)
    with closing(executable):
        outputs = executable.run([np.zeros_like(pixels)]).outputs[0]  # nothing of it is read
        assert executable.effective.threads == 1
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_stages_that_are_compiled_give_the_outputs_of_the_uncut_model(small_model: nn.Module) -> None:
    settings = replace(
        resolve(
            {"data": "generated", "precision": "32.32", "micro_batch_size": 2, "device_iterations": 3},
            None, "cpu", "torch-compile",
        )[0],
        pipeline_splits=("3",),
        threads=1,
    )  # fmt: skip
    batches = list(np.random.default_rng(1).standard_normal((3, 2, 3, 32, 32), np.float32))
    with torch.inference_mode():
        expected = [small_model(torch.from_numpy(batch)).numpy() for batch in batches]
    cores = cores_in_use()
    executable = compile_pipeline(
        registry.choose("torch-compile", "cpu"),
        split(copy.deepcopy(small_model), settings.pipeline_splits),
        batches[0],
        settings,
        [cores[:1], cores[-1:]],
    )
    with closing(executable):
        for _ in range(2):
            outputs = executable.run(batches).outputs
            np.testing.assert_allclose(outputs, np.stack(expected), rtol=1e-4, atol=1e-5)
