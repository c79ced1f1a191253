"""Random residual graphs on every engine: kernels that an engine generates for a graph may crash or be wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Artefact, Backend, Batch, Executable, KeepingBackend
from measurement.settings import resolve
from tests.backends.conftest import BACKENDS
from tests.fresh_process import FRESH

pytestmark = pytest.mark.engine

SOME = range(5)
OTHERS = range(5, 50)
BOUNDS = {"32.32": 1e-4, "16.16": 0.15}
"""Of the largest error, relative to the largest logit."""


class Residual(nn.Module):
    """One or two blocks: a convolution, a norm and an activation, with norms behind and before their sums."""

    def __init__(self, random: np.random.Generator) -> None:
        super().__init__()
        groups = int(random.choice([1, 2, 4, 8, 32]))
        channels = groups * int(random.choice([1, 2, 3] if groups == 32 else [2, 3, 4, 5]))
        blocks = int(random.integers(1, 3))
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


@pytest.mark.parametrize(
    "seeds", [SOME, pytest.param(OTHERS, marks=pytest.mark.full)], ids=["some", "others"]
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_random_residual_graphs_compute_what_the_eager_model_does(
    backend: str, seeds: range, tmp_path: Path
) -> None:
    """In a process of their own, which the engine may take down with it."""
    log = tmp_path / "errors"
    process = FRESH.Process(target=_check_all, args=(backend, seeds, log))
    process.start()
    process.join()
    lines = [line.split() for line in log.read_text().splitlines()]
    assert process.exitcode == 0, (
        f"exit code {process.exitcode} (negative: signal) at seed, precision {lines[-1]}"
    )
    assert len(lines) == len(seeds) * len(BOUNDS)
    assert [line for line in lines if not float(line[2]) < BOUNDS[line[1]]] == []


def _check_all(backend: str, seeds: range, log: Path) -> None:
    """Writes a line for each graph and precision: these before it is compiled, its error after it ran."""
    torch.set_num_threads(1)
    engine = registry.choose(backend, "cpu")
    engine.load()
    with log.open("w") as lines:
        for seed in seeds:
            torch.manual_seed(seed)
            random = np.random.default_rng(seed)
            model = Residual(random).eval()
            shape = (int(random.integers(1, 4)), 3, model.size, model.size)
            pixels = random.standard_normal(shape, np.float32)
            with torch.inference_mode():
                expected = model(torch.from_numpy(pixels)).numpy()
            compile_in = _compiler(engine, model, pixels)
            for precision in BOUNDS:
                lines.write(f"{seed} {precision} ")
                lines.flush()
                with closing(compile_in(precision)) as executable:
                    error = abs(executable.run([pixels]).outputs[0] - expected).max() / abs(expected).max()
                lines.write(f"{error:.3g}\n")


def _compiler(engine: Backend, model: nn.Module, pixels: Batch) -> Callable[[str], Executable]:
    """Compiles `model` in a precision. It is exported once, which takes most of the time."""
    kept: list[Artefact] = []

    def compile_in(precision: str) -> Executable:
        flags = {"data": "generated", "precision": precision, "threads": 1, "micro_batch_size": len(pixels)}
        settings, _ = resolve(flags, None, "cpu", engine.name)
        if not isinstance(engine, KeepingBackend):
            return engine.compile(copy.deepcopy(model), pixels, settings)
        if kept:
            return engine.restore(kept[0], lambda: model, pixels, settings)
        executable, artefact = engine.compile_and_keep(model, pixels, settings)
        kept.append(artefact)
        return executable

    return compile_in
