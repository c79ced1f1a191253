"""The choice of a backend: by name or by the fixed order, never another one in silence."""

import sys

import pytest

from backends import onnxruntime, openvino, registry, torch
from backends.base import Availability, BackendError, EngineError, OutOfMemory, engine_errors
from measurement.settings import resolve

OPENVINO = resolve({"micro_batch_size": 8}, None, "cpu", "openvino")[0]
TORCH = resolve({"micro_batch_size": 8}, None, "cpu", "torch")[0]


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
    with pytest.raises(
        BackendError, match=r"no backend is usable here: .*openvino on cpu: .*pip install openvino"
    ):
        registry.choose("auto")


def test_auto_on_cuda_never_falls_back_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "torch_sees_cuda", lambda: False)
    monkeypatch.setattr(onnxruntime, "onnxruntime_sees_cuda", lambda: False)
    with pytest.raises(
        BackendError, match=r"torch on cuda: torch finds no CUDA device .*--device cpu"
    ) as refused:
        registry.choose("auto", "cuda")
    assert "openvino" not in str(refused.value)


def test_auto_prefers_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "torch_sees_cuda", lambda: True)
    backend = registry.choose("auto")
    assert (backend.name, backend.device_kind) == ("torch-compile", "cuda")
    assert registry.choose("torch").device_kind == "cuda"
    assert registry.choose("torch", "cpu").device_kind == "cpu"


def test_a_device_that_an_engine_does_not_run_on_is_refused() -> None:
    with pytest.raises(BackendError, match=r"--device cuda: openvino runs on the CPU"):
        registry.choose("openvino", "cuda")
    for name in ("torch", "onnxruntime"):
        with pytest.raises(BackendError, match=f"--backend {name}: .*--device cpu"):
            registry.choose(name, "cuda")


def test_inductor_without_a_compiler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.shutil, "which", lambda name: None)
    with pytest.raises(BackendError, match=r"--backend torch-compile: .*apt-get install g\+\+"):
        registry.choose("torch-compile", "cpu")


def test_all_backends_of_the_table_load_and_tell_whether_they_are_usable() -> None:
    for name in registry.MODULES:
        backend = registry.load(name)
        assert backend.name == name
        assert isinstance(backend.available(), Availability)


def test_what_an_engine_raises_becomes_one_error_that_quotes_it() -> None:
    with (
        pytest.raises(EngineError, match="openvino failed with RuntimeError: no such kernel"),
        engine_errors(OPENVINO, 2**20),
    ):
        raise RuntimeError("no such\nkernel")
    with (
        pytest.raises(EngineError, match=r"torch ran out of memory: a micro-batch of 8 images takes 1 MiB"),
        engine_errors(TORCH, 2**20),
    ):
        raise MemoryError
    with (
        pytest.raises(EngineError, match="ran out of memory: a micro-batch of 8 images takes 1 MiB"),
        engine_errors(OPENVINO, 2**20),
    ):
        raise RuntimeError("std::bad_alloc")
    with pytest.raises(OutOfMemory, match="openvino ran out of memory"), engine_errors(OPENVINO, 2**20):
        raise RuntimeError("the pass failed") from MemoryError()
    with pytest.raises(BackendError, match="refused"), engine_errors(TORCH, 2**20):
        raise BackendError("refused")


def test_the_tested_packages_are_really_here() -> None:
    installed = set(registry.MODULES) - {"poptorch"}  # comes with an SDK, and has a double in tests/doubles
    assert all(registry.load(name).available().usable for name in installed), sys.path
