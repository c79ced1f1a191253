"""The choice of a backend: by name or by the fixed order, never another one in silence."""

import errno
import sys

import pytest

from backends import onnxruntime, openvino, registry, torch
from backends.base import Availability, BackendError, EngineError, OutOfMemory, engine_errors
from measurement.settings import resolve
from tests.backends.conftest import CompileFixture

OPENVINO = resolve({"micro_batch_size": 8}, None, "cpu", "openvino")[0]
TORCH = resolve({"micro_batch_size": 8}, None, "cpu", "torch")[0]


def test_an_unknown_backend_lists_the_near_names() -> None:
    with pytest.raises(BackendError, match="--backend onnx: no such backend; did you mean onnxruntime"):
        registry.choose("onnx")


@pytest.mark.parametrize(
    ("backend", "package"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime"), ("torch", "torch")]
)
def test_a_backend_that_is_not_installed_reports_what_to_install(
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
        BackendError,
        match=r"no backend is usable; .*make setup.*openvino on cpu: .*pip install openvino",
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
    monkeypatch.setattr(torch, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.shutil, "which", lambda name: name)
    backend = registry.choose("auto")
    assert (backend.name, backend.device_kind) == ("torch-compile", "cuda")
    assert registry.choose("torch").device_kind == "cuda"
    assert registry.choose("torch", "cpu").device_kind == "cpu"


@pytest.mark.parametrize(
    ("packages", "programs", "remedy"),
    [
        ({"torch"}, {"gcc", "g++"}, "the package triton.*pip install triton"),
        ({"torch", "triton"}, set(), r"no C compiler.*apt-get install gcc"),
        ({"torch", "triton"}, {"gcc"}, None),
        ({"torch", "triton"}, {"clang"}, None),
    ],
)
def test_auto_on_cuda_goes_on_to_eager_torch_where_inductor_cannot_compile(
    packages: set[str], programs: set[str], remedy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(torch, "torch_sees_cuda", lambda: True)
    monkeypatch.setattr(torch, "find_spec", lambda name: name if name in packages else None)
    monkeypatch.setattr(torch.shutil, "which", lambda name: name if name in programs else None)
    assert registry.choose("auto", "cuda").name == ("torch" if remedy else "torch-compile")
    if remedy:
        with pytest.raises(BackendError, match=f"--backend torch-compile: .*{remedy}"):
            registry.choose("torch-compile", "cuda")


def test_the_compiler_that_cc_names_is_the_only_one_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "torch_sees_cuda", lambda: True)
    monkeypatch.setattr(torch, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.shutil, "which", lambda name: name if name in ("gcc", "mine") else None)
    for named, chosen in (("mine", "torch-compile"), ("no-such-compiler", "torch")):
        monkeypatch.setenv("CC", named)
        assert registry.choose("auto").name == chosen


def test_a_device_that_an_engine_does_not_run_on_is_refused() -> None:
    with pytest.raises(BackendError, match=r"--device cuda: openvino is supported on the CPU only"):
        registry.choose("openvino", "cuda")
    for name in ("torch", "onnxruntime"):
        with pytest.raises(BackendError, match=f"--backend {name}: .*--device cpu"):
            registry.choose(name, "cuda")


def test_inductor_without_a_compiler_reports_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch.shutil, "which", lambda name: None)
    with pytest.raises(BackendError, match=r"--backend torch-compile: .*apt-get install g\+\+"):
        registry.choose("torch-compile", "cpu")


def test_all_backends_of_the_table_load_and_report_whether_they_are_usable() -> None:
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


class Broken:
    """A model that the disk does not let run."""

    def __call__(self, *_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_goes_wrong_outside_an_engine_is_not_blamed_on_it(
    compiled: CompileFixture,
) -> None:
    with pytest.raises(OSError, match="No space left"), engine_errors(TORCH, 2**20, unwrapped=(OSError,)):
        Broken()()
    run = compiled("torch")
    run.executable.model = Broken()  # type: ignore[attr-defined]
    with (
        pytest.raises(EngineError, match=r"torch failed with OSError: .*No space left"),
        engine_errors(TORCH, 2**20, unwrapped=(OSError,)),
    ):
        run.executable.run(run.batches)
    with pytest.raises(EngineError, match="torch failed with OSError"), engine_errors(TORCH, 2**20):
        Broken()()


def test_the_tested_packages_are_really_here() -> None:
    installed = set(registry.MODULES) - {"poptorch"}  # comes with an SDK, and has a double in tests/doubles
    assert all(registry.load(name).available().usable for name in installed), sys.path
