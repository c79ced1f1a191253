"""Random residual graphs on every engine: kernels that an engine generates for a graph may crash or be wrong."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
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
def test_random_residual_graphs_compute_what_the_eager_model_does(backend: str, precision: str) -> None:
    """Each in a process of its own, which an engine may take down with it."""
    ends = {seed: _ended(_check, backend, precision, seed) for seed in SEEDS}
    assert {seed: end for seed, end in ends.items() if end} == {}


def _ended(job: Callable[..., None], *args: object) -> int:
    """The exit code of `job`, negative for a signal, run in a fork of a process that has all engines imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.backends.imported_engines"])
    process: BaseProcess = context.Process(target=job, args=args)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _check(backend: str, precision: str, seed: int) -> None:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    model = Residual(random).eval()
    pixels = random.standard_normal((int(random.integers(1, 4)), 3, model.size, model.size), np.float32)
    with torch.inference_mode():
        expected = model(torch.from_numpy(pixels)).numpy()
    flags = {"data": "generated", "precision": precision, "threads": 1, "micro_batch_size": len(pixels)}
    settings, _ = resolve(flags, None, "cpu", backend)
    engine = registry.choose(backend, "cpu")
    engine.load()
    executable = engine.compile(model, pixels, settings)
    error = abs(executable.run([pixels]).outputs[0] - expected).max() / abs(expected).max()
    executable.close()
    assert error < BOUNDS[precision], f"{backend}, {precision}, seed {seed}: relative error {error:.2g}"
