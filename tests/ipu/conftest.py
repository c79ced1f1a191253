"""A machine with IPUs, as far as tests/doubles has it."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import Executable
from backends.poprun import poprun_instance
from measurement.settings import Settings, resolve

DOUBLES = Path(__file__).parents[1] / "doubles"
PACKAGES = ("poptorch", "popdist", "horovod")


@dataclass(frozen=True)
class Ipus:
    """`environment` is what makes another process see the same machine."""

    record: Path
    environment: dict[str, str]

    def events(self, event: str) -> list[dict[str, Any]]:
        """What was asked of PopTorch so far."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [known for known in map(json.loads, lines) if known["event"] == event]

    def the(self, event: str) -> dict[str, Any]:
        (found,) = self.events(event)
        return found


@pytest.fixture
def ipus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Ipus]:
    """Four IPUs, in this process and, by their environment, in others."""
    record = tmp_path / "poptorch-double.jsonl"
    environment = {"POPTORCH_DOUBLE_IPUS": "4", "POPTORCH_DOUBLE_RECORD": str(record)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(DOUBLES))
    poprun_instance.cache_clear()
    yield Ipus(record, {**environment, "PYTHONPATH": str(DOUBLES)})
    poprun_instance.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    importlib.invalidate_caches()


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
