"""Whether PopTorch is chosen, and the error if it cannot be."""

import pytest

from backends import registry
from backends.base import BackendError
from tests.poptorch_double import Ipus


def test_auto_takes_an_ipu_where_there_is_one(ipus: Ipus) -> None:
    assert registry.choose("auto").name == "poptorch"
    assert registry.choose("auto", "ipu").device_kind == "ipu"
    assert registry.choose("auto", "cpu").name == "openvino"


def test_auto_passes_over_poptorch_where_there_is_no_ipu(ipus: Ipus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    assert registry.choose("auto").name == "openvino"
    with pytest.raises(BackendError, match="poptorch on ipu: no IPU was found"):
        registry.choose("auto", "ipu")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("sdk", "the Poplar SDK is not enabled .*libpoplar.so.*source <poplar-sdk>/enable"),
        ("torch", r"built for another version of torch than .*2\.0\.1.*pip install torch==2\.0\.1"),
    ],
)
def test_an_import_that_fails_reports_why_and_what_to_do(
    reason: str, words: str, driver, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IMPORT", reason)
    with pytest.raises(BackendError, match=f"--backend poptorch: .*{words}"):
        registry.choose("poptorch")
    assert registry.choose("auto").name == "openvino"
    code, _, err = driver("--backend", "poptorch", "--data", "generated")
    assert (code, err.count("\n")) == (2, 1)


def test_without_the_package_the_sdk_is_named(driver) -> None:
    code, _, err = driver("--backend", "poptorch", "--data", "generated")
    assert code == 2
    assert "the package poptorch is not installed" in err
    assert "not from PyPI" in err


def test_a_run_without_an_ipu_is_refused_before_anything_is_built(
    driver, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    code, _, err = driver("--backend", "poptorch", "--data", "generated")
    assert code == 2
    assert "needs 1 IPU" in err
    assert "--compile-only compiles without an IPU" in err


def test_the_simulator_needs_no_ipu(compiled, ipus: Ipus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    monkeypatch.setenv("POPTORCH_IPU_MODEL", "1")
    run = compiled()
    assert run.executable.run(run.block).outputs.shape == (1, 1, 10)
    assert run.executable.effective.device == "IPU model (simulator)"


@pytest.mark.parametrize("backend", ["openvino", "torch", "onnxruntime"])
def test_other_engines_refuse_an_ipu(backend: str) -> None:
    with pytest.raises(BackendError, match=f"--device ipu: {backend}"):
        registry.choose(backend, "ipu")


def test_poptorch_refuses_other_devices(ipus: Ipus) -> None:
    with pytest.raises(BackendError, match="--device cpu: poptorch runs on IPUs only"):
        registry.choose("poptorch", "cpu")
