"""No process that is started here connects to the internet, or starts processes that report what is measured."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.driver import BENCHMARK_APP
from driver.telemetry import SWITCHES
from examples_utils.planning.environment import NO_TELEMETRY, additions
from examples_utils.planning.options import CommandOptions
from tests.cores import two_cores

ROOT = Path(__file__).parents[1]
SEND_NOTHING_BY_THEMSELVES = (
    "CI",
    "TF_BUILD",
    "JENKINS_URL",
)  # OpenVINO and ONNX Runtime, where these are set
DATA = ("--data", "generated", "--iterations", "3", "--threads", "1")
DRIVER = (
    *(sys.executable, "run_benchmark.py", "--model", "timm/test_resnet.r160_in1k", "--random-weights"),
    *("--micro-batch-size", "1", *DATA),
)
COMPILES_ONE_KERNEL = """
import numpy as np, torch
from backends import registry
from driver.telemetry import switch_off
from measurement.settings import resolve

switch_off()
settings, _ = resolve({"data": "generated", "threads": 1}, None, "cpu", "torch-compile")
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4), torch.nn.Hardswish()).eval()
registry.choose("torch-compile", "cpu").compile(model, np.zeros((1, 3, 8, 8), np.float32), settings)
"""
DRIVER_ITSELF = 1
"""The driver is a child process, without a program of its own, of the supervisor that waits for it."""

HARMLESS = {"ldconfig", "gcc", "cc", "ld", "objdump"}
"""What Python's ctypes.util.find_library asks for the place of a library."""

_SYSTEM_CALLS = "connect,sendto,sendmsg,sendmmsg,execve,fork,vfork,clone,clone3"
_STRACE = ("strace", "-f", "-qq", f"--trace={_SYSTEM_CALLS}")


@pytest.fixture(scope="module", autouse=True)
def tracer() -> None:
    """strace, where it may be used."""
    if not shutil.which("strace"):
        pytest.skip("needs strace: apt-get install strace")
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace may not trace processes here: {tried.stderr.strip()}")


@dataclass(frozen=True)
class Traced:
    """`executed`: programs; `started`: child processes; `internet`: connections and messages; `home`: files in it."""

    executed: list[str]
    started: int
    internet: list[str]
    home: list[str]


def traced(command: Sequence[str], folder: Path) -> Traced:
    """What the command and all its descendants did, with a new home folder and no switch set in the environment."""
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    without = {*SEND_NOTHING_BY_THEMSELVES, *SWITCHES, "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in without}
    done = subprocess.run(
        [*_STRACE, f"--output={trace}", *command],
        cwd=ROOT,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = trace.read_text(errors="replace").splitlines()
    calls = [line.split(maxsplit=1)[1] for line in lines]
    return Traced(
        [
            Path(found[1]).name
            for call in calls
            if (found := re.match(r'execve\("([^"]+)"', call)) and " = -1 " not in call
        ],
        sum(bool(re.match(r"v?fork\(|clone3?\((?!.*CLONE_THREAD)", call)) for call in calls),
        [call for call in calls if "sa_family=AF_INET" in call],
        [str(path.relative_to(home)) for path in home.rglob("*")],
    )


def pythons(found: Traced) -> int:
    return sum(name.startswith("python") for name in found.executed)


def test_a_trace_shows_connections_and_children(tmp_path: Path) -> None:
    code = """import multiprocessing, socket, subprocess
subprocess.run(["true"])
multiprocessing.get_context("fork").Process(target=print).start()
socket.socket().connect_ex(("127.0.0.1", 9))
socket.socket(type=socket.SOCK_DGRAM).sendto(b"", ("127.0.0.1", 9))
"""
    found = traced([sys.executable, "-c", code], tmp_path)
    assert found.started == 2
    assert found.executed[1:] == ["true"]
    assert len(found.internet) == 2


@pytest.mark.processes
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime", "torch"])
def test_the_driver_connects_to_nobody_and_starts_no_process(backend: str, tmp_path: Path) -> None:
    found = traced([*DRIVER, "--backend", backend], tmp_path)
    assert found.internet == []
    assert found.home == []
    assert pythons(found) == 1
    assert set(found.executed[1:]) <= HARMLESS
    assert found.started == len(found.executed) - 1 + DRIVER_ITSELF


@pytest.mark.processes
def test_inductor_connects_to_nobody_when_it_compiles_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))  # nothing is compiled yet
    monkeypatch.setenv("TORCHINDUCTOR_VEC_ISA_OK", "1")  # without trials of the compiler
    found = traced([sys.executable, "-c", COMPILES_ONE_KERNEL], tmp_path)
    assert any("++" in name for name in found.executed)
    assert found.internet == []


@pytest.mark.full
@pytest.mark.processes
def test_the_driver_connects_to_nobody_when_it_compiles_code(tmp_path: Path) -> None:
    found = traced([*DRIVER, "--backend", "torch-compile"], tmp_path)
    assert found.internet == []


@pytest.mark.processes
@two_cores
def test_replicas_connect_to_nobody_and_are_the_only_processes(
    ready_model: list[str], tmp_path: Path
) -> None:
    assert_only_replicas([*DRIVER[:2], *ready_model, *DATA], tmp_path)


@pytest.mark.full
@two_cores
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_replicas_that_export_their_models_do_neither(backend: str, tmp_path: Path) -> None:
    assert_only_replicas([*DRIVER, "--backend", backend], tmp_path)


def assert_only_replicas(command: Sequence[str], folder: Path) -> None:
    found = traced([*command, "--replicas", "2"], folder)
    assert found.internet == []
    assert found.home == []
    # With the driver and multiprocessing's resource tracker.
    assert pythons(found) == 4
    assert {name for name in found.executed if not name.startswith("python")} <= HARMLESS
    assert found.started == len(found.executed) - 1 + DRIVER_ITSELF


@pytest.mark.processes
def test_an_engines_own_tool_as_the_benchmarks_start_it_sends_nothing(tmp_path: Path) -> None:
    code = f"import sys; sys.argv = ['benchmark_app', '-h']{BENCHMARK_APP}"
    assert traced([sys.executable, "-c", code], tmp_path).internet == []


def test_commands_of_the_runner_are_started_with_every_switch() -> None:
    assert SWITCHES.items() <= NO_TELEMETRY.items()
    added = additions({}, CommandOptions(), {})
    assert NO_TELEMETRY.items() <= added.items()


def test_the_runner_leaves_what_the_user_and_the_entry_set() -> None:
    assert "DO_NOT_TRACK" not in additions({}, CommandOptions(), {"DO_NOT_TRACK": "0"})
    added = additions({"ORT_DISABLE_TELEMETRY": "0"}, CommandOptions(), {})
    assert added["ORT_DISABLE_TELEMETRY"] == "0"
