"""Random residual graphs on every engine: kernels that an engine generates for a graph may crash or be wrong."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Backend
from measurement.settings import resolve
from tests.backends.conftest import BACKENDS

SEEDS = range(50)
BOUNDS = {"32.32": 1e-4, "16.16": 0.15}
"""Of the largest error, relative to the largest logit."""


class Residual(nn.Module):
    """Two or three blocks: a convolution, a norm and an activation, with norms behind and before their sums."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        groups = int(random.choice([1, 2, 4, 8, 32]))
        channels = groups * int(random.choice([1, 2, 3] if groups == 32 else [2, 3, 4, 5]))
        blocks = int(random.integers(2, 4))
        self.size = int(random.integers(9, 33))
        self.norm_first = [bool(first) for first in random.integers(0, 2, blocks)]
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks))
        # At least one of the norms is over groups.
        kinds = ["group", *random.choice(["group", "group", "layer", "batch"], blocks)]
        self.norms = nn.ModuleList(_norm(str(kind), channels, groups, self.size, random) for kind in kinds)
        self.head = nn.Linear(channels, 10)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        values = torch.relu(self.norms[0](self.stem(pixels)))
        for convolution, norm, norm_first in zip(
            self.convolutions, self.norms[1:], self.norm_first, strict=True
        ):
            inner = convolution(values)
            values = torch.relu(norm(inner) + values if norm_first else norm(inner + values))
        return self.head(values.mean((2, 3)))


def _norm(kind: str, channels: int, groups: int, size: int, random: np.random.Generator) -> nn.Module:
    norm: Any = {
        "group": lambda: nn.GroupNorm(groups, channels),
        "layer": lambda: nn.LayerNorm([channels, size, size]),
        "batch": lambda: nn.BatchNorm2d(channels),
    }[kind]()
    for parameter, mean in ((norm.weight, 1), (norm.bias, 0)):
        parameter.data = torch.from_numpy(random.normal(mean, 0.3, parameter.shape).astype(np.float32))
    return norm


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_random_residual_graphs_compute_what_the_eager_model_does(
    backend: str, precision: str, tmp_path: Path
) -> None:
    """In a process of their own, which the engine may take down with it."""
    log = tmp_path / "errors"
    process = multiprocessing.get_context("spawn").Process(target=_check_all, args=(backend, precision, log))
    process.start()
    process.join()
    lines = log.read_text().splitlines()
    assert process.exitcode == 0, f"exit code {process.exitcode}, negative for a signal, at {lines[-1]}"
    errors = {
        seed: float(error) for seed, error in (line.removeprefix("seed ").split(": ") for line in lines)
    }
    assert len(errors) == len(SEEDS)
    assert {seed: error for seed, error in errors.items() if not error < BOUNDS[precision]} == {}


def _check_all(backend: str, precision: str, log: Path) -> None:
    """Writes a line for each graph: its seed before it is compiled, its error after it ran."""
    torch.set_num_threads(1)
    engine = registry.choose(backend, "cpu")
    engine.load()
    with log.open("w", buffering=1) as lines:
        for seed in SEEDS:
            lines.write(f"seed {seed}: ")
            lines.flush()
            lines.write(f"{_relative_error(engine, precision, seed):.3g}\n")


def _relative_error(engine: Backend, precision: str, seed: int) -> float:
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = Residual(random).eval()
    pixels = random.standard_normal((int(random.integers(1, 4)), 3, model.size, model.size), np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(pixels)).numpy()
    flags = {"data": "generated", "precision": precision, "threads": 1, "micro_batch_size": len(pixels)}
    settings, _ = resolve(flags, None, "cpu", engine.name)
    with closing(engine.compile(model, pixels, settings)) as executable:
        outputs = executable.run([pixels]).outputs[0]
        return float(abs(outputs - expected).max() / abs(expected).max())
