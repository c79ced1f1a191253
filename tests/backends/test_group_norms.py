"""Models with group norms on engines that treat them apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A sum behind a group norm is what OpenVINO 2026.4 crashes on where the CPU has AVX2 alone, while compiling.
CODE = """
import sys
import numpy as np
import torch
from backends import registry
from measurement.settings import resolve

class Residual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = (torch.nn.Conv2d(n, 32, 3, padding=1) for n in (3, 32))
        self.norms = torch.nn.ModuleList(torch.nn.GroupNorm(32, 32) for _ in range(2))

    def forward(self, pixels):
        first = torch.relu(self.norms[0](self.first(pixels)))
        return torch.relu(self.norms[1](self.second(first)) + first).mean((2, 3))

torch.manual_seed(0)
model, pixels = Residual().eval(), np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
expected = model(torch.from_numpy(pixels)).detach().numpy()
settings, _ = resolve({"data": "generated", "precision": "32.32", "threads": 1}, None, "cpu", sys.argv[1])
executable = registry.choose(sys.argv[1], "cpu").compile(model, pixels, settings)
assert abs(executable.run([pixels]).outputs[0] - expected).max() < 1e-4
"""


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_sum_behind_a_group_norm_is_compiled_and_computed(backend: str) -> None:
    """In a process of its own, which an engine may take down with it."""
    command = [sys.executable, "-c", CODE, backend]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or f"ended by signal {-done.returncode}"
