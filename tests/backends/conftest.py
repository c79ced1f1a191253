"""A model that compiles in a moment, and one with real weights."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Executable
from measurement.settings import Settings, resolve

BACKENDS = ("openvino", "onnxruntime", "torch")


@dataclass(frozen=True)
class Compiled:
    executable: Executable
    settings: Settings
    batches: list[np.ndarray]


@pytest.fixture(scope="session")
def small_model() -> nn.Module:
    """A small convolutional classifier: 32x32 pixels, 10 classes."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(8, 10)).eval()


@pytest.fixture
def compiled(small_model: nn.Module) -> Any:
    """`compiled(backend, model=…, **flags)`: an executable with micro-batches that differ from each other."""
    opened: list[Executable] = []

    def compile_(backend: str, model: nn.Module | None = None, **flags: object) -> Compiled:
        settings = resolve({"data": "generated", "micro_batch_size": 2, **flags}, None, "cpu", backend)[0]
        random = np.random.default_rng(1)
        shape = (settings.device_iterations, settings.micro_batch_size, 3, 32, 32)
        batches = list(random.standard_normal(shape, np.float32))
        executable = registry.choose(backend, "cpu").compile(
            copy.deepcopy(model or small_model), batches[0], settings
        )
        opened.append(executable)
        return Compiled(executable, settings, batches)

    yield compile_
    for executable in opened:
        executable.close()
        executable.close()


CompileFixture = Callable[..., Compiled]
