"""A process of poprun: popdist identifies it, and PopTorch's options come from popdist."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.poprun import PoprunInstance, poprun_instance
from measurement.ipu import LaunchedReplicas
from measurement.settings import resolve
from tests.ipu.conftest import Compiled
from tests.poptorch_double import DOUBLES, Ipus
from tests.report_lines import figure

ROOT = Path(__file__).parents[2]
Compile = Callable[..., Compiled]


@pytest.fixture
def second_of_two(ipus: Ipus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two instances that have four replicas between them."""
    monkeypatch.setenv("POPDIST_INSTANCE_INDEX", "1")
    monkeypatch.setenv("POPDIST_NUM_INSTANCES", "2")
    monkeypatch.setenv("POPDIST_NUM_TOTAL_REPLICAS", "4")


def test_outside_of_poprun_there_is_no_instance(ipus: Ipus) -> None:
    assert poprun_instance() is None


@pytest.mark.usefixtures("second_of_two")
def test_popdist_identifies_this_process() -> None:
    assert poprun_instance() == PoprunInstance(index=1, count=2, local_replicas=2, total_replicas=4)
    assert poprun_instance() is not None  # popdist is initialised once


@pytest.mark.usefixtures("second_of_two")
def test_options_are_popdists_for_as_many_ipus_as_there_are_stages(compiled: Compile, ipus: Ipus) -> None:
    compiled(replicas=2)
    options = ipus.the("compile")["options"]
    assert options["ipus_per_replica"] == 1
    assert options["replication_factor"] == 2
    assert (options["processes"], options["process"]) == (2, 1)


@pytest.mark.usefixtures("second_of_two")
def test_popdists_options_take_no_number_of_replicas() -> None:
    poprun_instance()
    import popdist.poptorch

    options = popdist.poptorch.Options(ipus_per_replica=1)
    for call in (options.replicationFactor, options.useIpuId):
        with pytest.raises(RuntimeError):
            call(2)
    with pytest.raises(RuntimeError):
        options.Distributed.disable()


@pytest.mark.usefixtures("second_of_two")
def test_options_are_popdists_although_poprun_starts_processes_through_open_mpi(
    compiled: Compile, ipus: Ipus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    compiled(replicas=2)
    options = ipus.the("compile")["options"]
    assert (options["processes"], options["process"]) == (2, 1)


@pytest.mark.usefixtures("second_of_two")
def test_without_horovod_its_installation_is_the_remedy(driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "horovod", None)
    code, _, err = driver("--backend", "poptorch", "--data", "generated")
    assert code == 2
    assert re.search(r"horovod, .*, cannot be imported .*: pip install horovod", err)


@pytest.mark.usefixtures("second_of_two")
def test_only_the_first_instance_writes_a_profile(compiled: Compile, ipus: Ipus, tmp_path: Path) -> None:
    compiled(profile=True, profile_path=str(tmp_path), replicas=2)
    assert ipus.the("compile")["options"]["engineOptions"]["target.deterministicWorkers"] == "portable"


ONE_OF_MPIRUN = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "1"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "code"), [({}, 0), (ONE_OF_MPIRUN, 0), ({"POPDIST_NUM_INSTANCES": "2"}, 2)]
)
def test_a_popdist_that_cannot_be_imported_is_an_obstacle_to_poprun_alone(
    launcher: dict[str, str], code: int, driver, ipus: Ipus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "popdist.py").write_text("raise ImportError('libpopdist.so: no such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    ended, _, err = driver("--backend", "poptorch", "--data", "generated", "--list-layers")
    assert ended == code
    assert ("poprun started this process" in err) == ("libpopdist.so" in err) == (code == 2)


@pytest.mark.parametrize(("asked", "warned"), [(None, True), (2, True), (4, False)])
def test_replicas_are_those_of_poprun_with_a_warning_if_others_were_asked_for(
    asked: int | None, warned: bool
) -> None:
    flags = {"data": "generated"} | ({"replicas": asked} if asked else {})
    settings, warnings = resolve(flags, None, "ipu", "poptorch", LaunchedReplicas(total=4, local=2))
    assert settings.replicas == 2
    assert any("--replicas" in line and "4 replicas in all" in line for line in warnings) == warned


@pytest.mark.processes
def test_an_instance_computes_on_its_own_replicas(ipus: Ipus, tmp_path: Path) -> None:
    poprun = [
        str(DOUBLES / "bin" / "poprun"),
        "--num-instances=2",
        "--num-replicas=4",
        "--ipus-per-replica=1",
    ]
    driver = [sys.executable, str(ROOT / "run_benchmark.py"), "--model", "mobilenet-v3-small"]
    flags = ["--random-weights", "--data", "generated", "--warmup", "0", "--iterations", "1"]
    done = subprocess.run(
        [sys.executable, *poprun, *driver, *flags],
        env={**os.environ, **ipus.environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("poprun started this run with 4 replicas in all") == 1
    assert figure(done.stdout, "samples") == "4"
    assert figure(done.stdout, "num_ipus") == "4"


HOROVOD = """
import popdist, torch, horovod.torch as hvd
popdist.init()
hvd.init()
rank = popdist.getInstanceIndex()
assert (hvd.rank(), hvd.size()) == (rank, 2)
print(hvd.allgather(torch.arange(rank + 1)).tolist(), hvd.allreduce(torch.tensor([rank + 1]), op=hvd.Sum).tolist())
"""


@pytest.mark.processes
def test_the_double_of_horovod_gathers_and_sums_over_processes(ipus: Ipus, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        **ipus.environment,
        "POPDIST_NUM_INSTANCES": "2",
        "POPDIST_NUM_TOTAL_REPLICAS": "2",
        "HOROVOD_DOUBLE_STORE": str(tmp_path / "store"),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HOROVOD],
            env={**environment, "POPDIST_INSTANCE_INDEX": str(index)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    assert {process.communicate()[0] for process in processes} == {"[0, 0, 1] [3]\n"}
