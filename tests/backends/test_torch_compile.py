"""Inductor keeps the same promises; it compiles for long, so one small model has to do."""

import numpy as np
import torch
from torch import nn

from tests.backends.conftest import CompileFixture


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
