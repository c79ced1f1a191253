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


def test_on_request_of_an_ipu_poptorch_itself_refuses_to_run_without_one_and_compiles(
    compiled, driver, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    assert registry.choose("auto", "ipu").name == "poptorch"
    code, _, err = driver("--device", "ipu", "--data", "generated")
    assert (code, err.count("\n")) == (2, 1)
    assert "needs 1 IPU" in err
    assert "--compile-only compiles without an IPU" in err
    assert compiled(compile_only=True).executable.effective.device == "IPU version 2 (offline target)"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("sdk", "the Poplar SDK is not enabled .*libpoplar.so.*source <poplar-sdk>/enable"),
        ("pkg_resources", r"imports pkg_resources, which is not installed; pip install 'setuptools<81'"),
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


MODELS = pytest.mark.parametrize(
    ("variable", "value"),
    [("POPTORCH_IPU_MODEL", "1"), ("POPTORCH_IPU_MODEL", "-2"), ("POPTORCH_SMALL_IPU_MODEL", "1")],
)


@MODELS
@pytest.mark.parametrize("here", ["0", "4"])
def test_the_simulator_counts_as_an_ipu(
    here: str, variable: str, value: str, compiled, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", here)
    monkeypatch.setenv(variable, value)
    assert registry.choose("auto").name == registry.choose("auto", "ipu").name == "poptorch"
    run = compiled(replicas=3)
    assert run.executable.run(run.block).outputs.shape == (3, 1, 10)
    assert run.executable.effective.device == "IPU model (simulator)"
    assert "ipus_reserved" not in run.executable.effective.details


@MODELS
@pytest.mark.parametrize("flags", [["--compile-only"], ["--model-cache-path", "folder"]])
def test_what_the_simulator_cannot_do_is_refused_before_anything_is_built(
    flags: list[str], variable: str, value: str, driver, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    code, _, err = driver("--backend", "poptorch", "--data", "generated", *flags)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{' '.join(flags)} with {variable}={value}: " in err
    assert f"leave {flags[0]} out" in err
    assert f"unset {variable}" in err


def test_a_number_of_0_selects_no_simulator(ipus: Ipus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", "0")
    monkeypatch.setenv("POPTORCH_IPU_MODEL", "0")
    assert registry.choose("auto").name == "openvino"


@pytest.mark.parametrize("value", ["yes", ""])
def test_a_selection_of_the_simulator_is_a_number(
    value: str, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_SMALL_IPU_MODEL", value)
    with pytest.raises(BackendError, match=f"POPTORCH_SMALL_IPU_MODEL={value} is not a whole number.*unset"):
        registry.choose("poptorch")


@pytest.mark.parametrize("backend", ["openvino", "torch", "onnxruntime"])
def test_other_engines_refuse_an_ipu(backend: str) -> None:
    with pytest.raises(BackendError, match=f"--device ipu: {backend}"):
        registry.choose(backend, "ipu")


def test_poptorch_refuses_other_devices(ipus: Ipus) -> None:
    with pytest.raises(BackendError, match="--device cpu: poptorch runs on IPUs only"):
        registry.choose("poptorch", "cpu")
