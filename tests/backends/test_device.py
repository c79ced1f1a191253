"""The settings that the engines get on CUDA; no device is needed to check them."""

from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from backends import registry
from backends.device import without_tf32
from backends.onnxruntime import ONNX_FILE, OnnxRuntimeBackend
from measurement.settings import Settings, resolve

PIXELS = np.zeros((1, 3, 8, 8), np.float32)


def settings_of(engine: str, device: str, precision: str) -> Settings:
    return resolve({"data": "generated", "precision": precision}, None, device, engine)[0]


class Captured(Exception):
    """What was seen where the model would have gone to the device."""


@pytest.fixture
def tf32_allowed() -> Iterator[None]:
    """As it is in a fresh torch, before and after."""
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True


@pytest.mark.usefixtures("tf32_allowed")
class TestTorch:
    @pytest.mark.parametrize("engine", ["torch", "torch-compile"])
    @pytest.mark.parametrize(("precision", "allowed"), [("32.32", False), ("16.16", True)])
    def test_tf32_is_switched_off_for_float32_before_the_model_is_placed(
        self, engine: str, precision: str, allowed: bool
    ) -> None:
        class Model(nn.Module):
            def to(self, *_: object, **__: object) -> "Model":
                raise Captured(torch.backends.cudnn.allow_tf32)

        with pytest.raises(Captured) as placed:
            registry.load(engine, "cuda").compile(Model(), PIXELS, settings_of(engine, "cuda", precision))
        assert placed.value.args == (allowed,)

    def test_all_switches_of_this_torch_agree(self) -> None:
        torch.set_float32_matmul_precision("high")
        without_tf32("cuda", "32.32")
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        assert not cudnn.allow_tf32
        assert not matmul.allow_tf32
        assert torch.get_float32_matmul_precision() == "highest"
        successors = [cudnn.conv, cudnn.rnn, cudnn, matmul] if hasattr(cudnn, "conv") else []  # since 2.9
        assert "tf32" not in [switch.fp32_precision for switch in successors]

    def test_a_cpu_is_none_of_its_business(self) -> None:
        without_tf32("cpu", "32.32")
        assert torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize(
    ("device", "precision", "provider"),
    [
        ("cuda", "32.32", ("CUDAExecutionProvider", {"use_tf32": 0})),
        ("cuda", "16.16", ("CUDAExecutionProvider", {})),
        ("cpu", "32.32", ("CPUExecutionProvider", {})),
    ],
)
def test_onnx_runtime_is_configured_without_tf32_for_float32(
    device: str, precision: str, provider: tuple[str, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def session(*_: object, providers: object) -> None:
        raise Captured(providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    settings = settings_of("onnxruntime", device, precision)
    with pytest.raises(Captured) as opened:
        OnnxRuntimeBackend(device).restore({ONNX_FILE: b""}, nn.Identity, PIXELS, settings)
    assert opened.value.args == ([provider],)
