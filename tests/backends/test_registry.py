"""The choice of a backend: by name or by the fixed order, never another one in silence."""

import sys

import pytest

from backends import onnxruntime, openvino, registry, torch
from backends.base import Availability, BackendError, EngineError, engine_errors


def test_an_unknown_backend_lists_the_near_names() -> None:
    with pytest.raises(BackendError, match="--backend onnx: no such backend; did you mean onnxruntime"):
        registry.choose("onnx")


@pytest.mark.parametrize(
    ("backend", "package"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime"), ("torch", "torch")]
)
def test_a_backend_that_is_not_installed_says_what_to_install(
    backend: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {"openvino": openvino, "onnxruntime": onnxruntime, "torch": torch}[backend]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=f"--backend {backend}: .*not installed.* pip install {package}"):
        registry.choose(backend)


def test_auto_takes_the_first_of_its_order_that_is_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.choose("auto").name == "openvino"
    monkeypatch.setattr(openvino, "find_spec", lambda name: None)
    assert registry.choose("auto").name == "onnxruntime"
    monkeypatch.setattr(onnxruntime, "find_spec", lambda name: None)
    assert registry.choose("auto").name == "torch"
    monkeypatch.setattr(torch, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"no backend is usable here: openvino: .*pip install openvino"):
        registry.choose("auto")


def test_all_backends_of_the_table_load_and_tell_whether_they_are_usable() -> None:
    for name in registry.MODULES:
        backend = registry.load(name)
        assert backend.name == name
        assert isinstance(backend.available(), Availability)


def test_what_an_engine_raises_becomes_one_error_that_quotes_it() -> None:
    with (
        pytest.raises(EngineError, match="openvino failed with RuntimeError: no such kernel"),
        engine_errors("openvino"),
    ):
        raise RuntimeError("no such\nkernel")
    with pytest.raises(EngineError, match=r"out of memory.*lower --micro-batch-size"), engine_errors("torch"):
        raise MemoryError
    with pytest.raises(BackendError, match="refused"), engine_errors("torch"):
        raise BackendError("refused")


def test_the_tested_packages_are_really_here() -> None:
    assert all(registry.load(name).available().usable for name in registry.MODULES), sys.path
