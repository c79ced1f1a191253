"""A small model on an IPU."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Executable
from measurement.settings import Settings, resolve
from tests.poptorch_double import Ipus


@dataclass(frozen=True)
class Compiled:
    executable: Executable
    settings: Settings
    block: np.ndarray


@pytest.fixture
def small_model() -> nn.Module:
    """Small enough to be compiled a hundred times: 16x16 pixels, 10 classes."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)]
    return nn.Sequential(*layers).eval()


@pytest.fixture
def compiled(ipus: Ipus, small_model: nn.Module) -> Callable[..., Compiled]:
    """`compiled(**flags)`: a small model compiled for the IPU, and a host call for it."""

    def compile_(**flags: object) -> Compiled:
        settings = resolve({"data": "generated", **flags}, None, "ipu", "poptorch")[0]
        backend = registry.choose("poptorch")
        backend.check(settings)
        dtype = np.float16 if settings.precision == "16.16" else np.float32
        shape = (settings.micro_batches_per_host_call, settings.micro_batch_size, 3, 16, 16)
        block = np.random.default_rng(1).standard_normal(shape, np.float32).astype(dtype)
        return Compiled(backend.compile(small_model, block[0], settings), settings, block)

    return compile_
