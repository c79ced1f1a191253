"""Each option of the driver, and what becomes of it in PopTorch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from backends.base import BackendError
from measurement.errors import SettingsError
from measurement.settings import resolve
from tests.ipu.conftest import Compiled
from tests.poptorch_double import Ipus

Compile = Callable[..., Compiled]
CYCLES = {"opt.internalExchangeOptimisationTarget": "cycles"}
PORTABLE = {"target.deterministicWorkers": "portable", **CYCLES}


@pytest.mark.parametrize(
    ("flags", "option", "value"),
    [
        ({"device_iterations": 5}, "device_iterations", 5),
        ({"replicas": 4}, "replication_factor", 4),
        ({"half_partial": True}, "partials", "torch.float16"),
        ({"half_partial": False}, "partials", "torch.float32"),
        ({"data": "synthetic"}, "synthetic_data", True),
        ({"data": "generated"}, "synthetic_data", False),
        ({"enable_fast_groupnorm": True}, "groupNormStridedChannelGrouping", True),
        ({"num_io_tiles": 64}, "num_io_tiles", 64),
        ({"num_io_tiles": 64}, "execution", "sharded"),
        ({"num_io_tiles": 64}, "defaultPrefetchBufferingDepth", 3),
        ({"num_io_tiles": 0}, "execution", "pipelined"),
        ({"compile_only": True}, "connection_type", "Never"),
        ({"compile_only": True, "offline_target_ipu_version": "21"}, "offline_target", 21),
        ({}, "output_mode", "All"),
        ({}, "connection_type", "Always"),
        ({}, "engineOptions", PORTABLE),
        *(
            (
                {"exchange_memory_target": target},
                "engineOptions",
                {**PORTABLE, "opt.internalExchangeOptimisationTarget": target},
            )
            for target in ("cycles", "balanced", "memory")
        ),
    ],
)
def test_an_option_reaches_poptorch(
    flags: dict[str, object], option: str, value: object, compiled: Compile, ipus: Ipus
) -> None:
    compiled(**flags)
    assert ipus.the("compile")["options"][option] == value


@pytest.mark.parametrize("option", ["groupNormStridedChannelGrouping", "defaultPrefetchBufferingDepth"])
def test_what_was_not_asked_for_is_left_to_poptorch(option: str, compiled: Compile, ipus: Ipus) -> None:
    compiled()
    assert option not in ipus.the("compile")["options"]


def test_input_and_output_overlap_with_computing_where_tiles_are_set_aside(
    compiled: Compile, ipus: Ipus
) -> None:
    run = compiled(num_io_tiles=32, device_iterations=2)
    marks = ["input OverlapAccumulationLoop", "output OverlapAccumulationLoop"]
    assert ipus.the("compile")["overlapped"] == marks
    assert run.executable.run(run.block).outputs.shape == (2, 1, 10)
    assert run.executable.effective.details["execution"] == "sharded"


@pytest.mark.parametrize(("precision", "dtype"), [("16.16", "float16"), ("32.32", "float32")])
def test_weights_pixels_and_outputs_have_the_precision_asked_for(
    precision: str, dtype: str, compiled: Compile, ipus: Ipus
) -> None:
    run = compiled(precision=precision)
    assert ipus.the("compile")["dtype"] == f"torch.{dtype}"
    assert ipus.the("compile")["input"][1] == f"torch.{dtype}"
    assert run.executable.run(run.block).outputs.dtype == np.dtype(dtype)
    assert run.executable.effective.dtype == dtype


def test_a_host_call_is_all_micro_batches_of_all_replicas(compiled: Compile, ipus: Ipus) -> None:
    run = compiled(micro_batch_size=2, device_iterations=3, replicas=2)
    assert run.settings.samples_per_host_call == 12
    assert run.executable.run(run.block).outputs.shape == (6, 2, 10)
    assert ipus.the("call")["samples"] == 12


def test_executables_are_kept_by_poptorch(compiled: Compile, ipus: Ipus, tmp_path: Path) -> None:
    for _ in range(2):
        compiled(model_cache_path=str(tmp_path / "kept"))
    assert [known["from_executable_cache"] for known in ipus.events("compile")] == [False, True]


def test_no_executable_is_taken_from_a_cache_that_the_environment_names(
    compiled: Compile, ipus: Ipus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_CACHE_DIR", str(tmp_path / "kept"))
    for _ in range(2):
        compiled()
    assert [known["from_executable_cache"] for known in ipus.events("compile")] == [False, False]
    assert not (tmp_path / "kept").exists()


def test_a_profile_is_poplars_report_of_the_run(compiled: Compile, ipus: Ipus, tmp_path: Path) -> None:
    run = compiled(profile=True, profile_path=str(tmp_path))
    assert ipus.the("compile")["options"]["engineOptions"] == {
        "debug.allowOutOfMemory": "true",
        "autoReport.directory": str(tmp_path),
        "profiler.format": "v3",
        "autoReport.all": "true",
        **CYCLES,
    }
    assert str(tmp_path) in run.executable.effective.details["profile"]


@pytest.mark.parametrize(("here", "version"), [("4", 2), ("0", 2)])
def test_compiling_alone_is_for_an_offline_target_and_needs_no_ipu(
    here: str, version: int, compiled: Compile, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POPTORCH_DOUBLE_IPUS", here)
    run = compiled(compile_only=True, replicas=2)
    assert ipus.the("compile")["options"]["offline_target"] == version
    assert run.executable.effective.device == f"IPU version {version} (offline target)"


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        ({"offline_target_ipu_version": "2"}, "add --compile-only"),
        ({"data": "real", "dataloader_rebatch_size": 9, "device_iterations": 4}, "give 4 or fewer"),
        ({"replicas": 8}, "needs 8 IPUs, and there are fewer.*--compile-only"),
        ({"replicas": 5}, "needs 5 IPUs, for which PopTorch reserves 8 .*and there are fewer"),
        ({"pipeline_splits": ["a"]}, "give --device-iterations 2 or more"),
        ({"pipeline_splits": ["a", "b"], "device_iterations": 2}, "give --device-iterations 3 or more .*24"),
        ({"pipeline_splits": ["a", "b", "c"], "replicas": 2, "device_iterations": 8}, "needs 8 IPUs"),
    ],
)
def test_what_cannot_work_on_an_ipu_is_refused_with_the_remedy(
    flags: dict[str, object], remedy: str, compiled: Compile
) -> None:
    with pytest.raises((SettingsError, BackendError), match=remedy):
        compiled(**flags)


@pytest.mark.parametrize("replicas", [1, 3, 4])
def test_ipus_are_reserved_in_powers_of_two(
    replicas: int, compiled: Compile, ipus: Ipus, capfd: pytest.CaptureFixture[str]
) -> None:
    run = compiled(replicas=replicas)
    assert run.executable.run(run.block).outputs.shape == (replicas, 1, 10)
    reserved = run.executable.effective.details.get("ipus_reserved")
    assert reserved == ("4 (a power of two: 1 idle)" if replicas == 3 else None)
    assert ("Reserving 4 IPUs" in capfd.readouterr().err) == (replicas == 3)


def test_instances_of_mpirun_compile_a_graph_of_their_own(
    compiled: Compile, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    run = compiled()
    assert run.executable.run(run.block).outputs.shape == (1, 1, 10)
    options = ipus.the("compile")["options"]
    assert (options["processes"], options["process"]) == (1, 0)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"threads": 2, "streams": 2}, "no effect on an IPU .*: --threads, --streams"),
        ({"num_io_tiles": 32, "pipeline_splits": ["layer3"]}, "runs the stages one at a time"),
        ({"profile": True}, "do not use the results of this run"),
    ],
)
def test_what_works_in_another_way_than_one_might_think_is_explained(
    flags: dict[str, object], words: str
) -> None:
    warnings = resolve({"data": "generated", **flags}, None, "ipu", "poptorch")[1]
    assert len(warnings) == 1
    import re

    assert re.search(words, warnings[0]), warnings


@pytest.mark.parametrize(
    "flags",
    [
        {"half_partial": True},
        {"enable_fast_groupnorm": True},
        {"exchange_memory_target": "cycles"},
        {"num_io_tiles": 32},
        {"compile_only": True, "offline_target_ipu_version": "2"},
        {"compile_only": True, "replicas": 2},
        {"compile_only": True, "profile": True, "profile_path": "folder"},
        {"pipeline_splits": ["layer3"], "device_iterations": 4, "model_cache_path": "folder"},
    ],
)
def test_what_an_ipu_does_needs_no_explanation(flags: dict[str, object]) -> None:
    warnings = resolve({"data": "generated", **flags}, None, "ipu", "poptorch")[1]
    assert not [line for line in warnings if "do not use the results" not in line]
