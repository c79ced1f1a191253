"""Runs of many processes as users meet them: real processes, their lines, their figures and their ends."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driver.instances.failure_detection import GRACE_S
from driver.instances.group import JOIN_TIMEOUT_S
from examples_utils.planning.command import mpi_instances
from measurement.machine import available_cores
from tests.cores import two_cores
from tests.patience import HANG_S
from tests.ports import free_port
from tests.report_lines import figure

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "many_processes.md").read_text()
MODEL = [
    "--model",
    "timm/test_efficientnet.r160_in1k",
    "--random-weights",
    "--backend",
    "torch",
    "--warmup",
    "0",
]
GENERATED = [*MODEL, "--data", "generated", "--micro-batch-size", "2", "--device-iterations", "2"]

# Each thinks that it is on a host of its own, so that two may have all cores of this one.
PATIENT = f"import driver.instances.group as group\ngroup.JOIN_TIMEOUT_S = {HANG_S}"

HOSTS_OF_THEIR_OWN = """
import os, driver.instances.cores as cores
cores.host_name = lambda: "host " + os.environ["RANK"]
"""
IMPATIENT = """
import driver.instances.group as group
group.JOIN_TIMEOUT_S = 2.0
"""
REPORTING_IMAGES = """
import sys, datasets.image_filler as image_filler
original = image_filler.preprocess
def reported(path, *rest):
    sys.stderr.write(f"decoded {path.name}\\n")  # at once: threads share it
    return original(path, *rest)
image_filler.preprocess = reported
"""


@pytest.fixture
def ready(ready_model: list[str]) -> list[str]:
    return [*ready_model, "--data", "generated", "--device-iterations", "2", "--warmup", "0"]


def environment(**added: str) -> dict[str, str]:
    return {**os.environ, **added}


def by_hand(count: int = 2) -> list[dict[str, str]]:
    port = str(free_port())
    return [
        {"RANK": str(n), "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        for n in range(count)
    ]


def like_mpirun() -> list[dict[str, str]]:
    return [
        {
            "OMPI_COMM_WORLD_RANK": str(n),
            "OMPI_COMM_WORLD_SIZE": "2",
            "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
            "PMIX_NAMESPACE": f"test {os.getpid()}",
        }
        for n in range(2)
    ]


def like_srun() -> list[dict[str, str]]:
    step = {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
    }
    return [{**step, "SLURM_PROCID": str(n)} for n in range(2)]


@contextmanager
def instances(
    places: list[dict[str, str]], *argv: str, before: str = ""
) -> Iterator[list[subprocess.Popen[str]]]:
    """The driver's processes, one for each of `places`; `before` is code that they run first."""
    code = f"import sys, run_benchmark\n{PATIENT}\n{before}\nsys.exit(run_benchmark.main())"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, *argv],
            cwd=ROOT, env=environment(**place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for place in places
    ]  # fmt: skip
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=HANG_S)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def example(launcher: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """The page's command for a launcher, of the tests' model."""
    commands = re.findall(rf"^\$ ({launcher} .*)$", PAGE, re.MULTILINE)
    assert len(commands) == 1
    where = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PET_MASTER_PORT": str(free_port()),
    }
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return subprocess.run(
        [*shlex.split(commands[0]), *MODEL, *argv],
        cwd=ROOT, env=environment(**where, **root), capture_output=True, text=True, timeout=HANG_S,
    )  # fmt: skip


def host_calls(text: str, instance: int, count: int) -> list[tuple[float, float, float]]:
    """Images a second, and lowest and highest latency in ms, of each line that the instance printed."""
    number = r"([\d.]+)"
    line = rf"^\[instance{instance}/{count}\] Throughput: {number} imgs/sec; Latency range: {number}\.\.{number} ms$"
    return [(float(a), float(b), float(c)) for a, b, c in re.findall(line, text, re.MULTILINE)]


def assert_figures_are_those_of_the_lines(
    results: str, lines: list[list[tuple[float, float, float]]]
) -> None:
    """The longest of the times and the samples of all, again, from what the instances printed."""
    samples = int(figure(results, "samples")) / int(figure(results, "host_calls"))
    calls = list(zip(*lines, strict=True))
    longest_s = [max(samples / len(lines) / rate for rate, _, _ in call) for call in calls]
    rates = [samples / took_s for took_s in longest_s]
    found = re.search(r"\tthroughput: (\S+) .*\(min: (\S+), max: (\S+),", results)
    assert found
    expected = [samples * len(calls) / sum(longest_s), min(rates), max(rates)]
    assert [float(text) for text in found.groups()] == pytest.approx(expected, rel=1e-3)
    latency = re.search(r"\tlatency avg: .*\(min: (\S+), max: (\S+)\)", results)
    assert latency
    everyones = [call for own in lines for call in own]
    assert float(latency[1]) == min(low for _, low, _ in everyones)
    assert float(latency[2]) == max(high for _, _, high in everyones)


@two_cores
class TestLaunchers:
    def test_torchrun(self) -> None:
        done = example("torchrun", *GENERATED[len(MODEL) :], "--iterations", "6")
        assert done.returncode == 0, done.stderr
        lines = [host_calls(done.stdout, n, 2) for n in (1, 2)]
        assert [len(own) for own in lines] == [6, 6]
        assert_figures_are_those_of_the_lines(done.stdout, lines)
        assert done.stdout.count("Running ") == 1
        assert "2 instances, each with" in done.stdout
        # As specs in the field have them.
        assert len(re.findall(r"throughput: *(.*?) samples\/sec", done.stdout)) == 1
        assert len(re.findall(r"latency avg: *(.*?) ms", done.stdout)) == 1
        expected = {
            "launcher": "torchrun",
            "instances": "2",
            "num_devices": "2",
            "host_calls": "6",
            "samples": "48",
            "latency_samples": "24",
            "cores_per_instance": str(available_cores() // 2),
            "threads": str(available_cores() // 2),  # whatever OMP_NUM_THREADS torchrun sets
        }
        assert {key: figure(done.stdout, key) for key in expected} == expected
        assert re.fullmatch(r"\d+ MiB \(sum of 2 instances\)", figure(done.stdout, "peak_memory"))

    @pytest.mark.parametrize(
        ("launcher", "places"),
        [
            ("RANK/WORLD_SIZE", by_hand),
            ("mpirun", like_mpirun),
            ("srun", like_srun),
        ],
    )
    def test_what_launchers_set_in_the_environment(
        self, launcher: str, places: Callable[[], list[dict[str, str]]], ready: list[str]
    ) -> None:
        with instances(places(), *ready, "--iterations", "3") as (first, second):
            code, out, err = ended(first)
            assert code == 0, err
            assert figure(out, "launcher") == launcher
            other_code, other_out, other_err = ended(second)
            assert (other_code, other_err) == (0, "")
        lines = [host_calls(out, 1, 2), host_calls(other_out, 2, 2)]
        assert other_out.count("\n") == len(lines[1]) == 3
        assert_figures_are_those_of_the_lines(out, lines)

    def test_instances_have_replicas_of_their_own(self, ready: list[str]) -> None:
        argv = [*ready, "--replicas", "2", "--iterations", "3"]
        with instances(by_hand(), *argv, before=HOSTS_OF_THEIR_OWN) as (first, second):
            code, out, err = ended(first)
            assert code == 0, err
            assert ended(second)[0] == 0
        for replica in (1, 2):
            line = rf"^\[instance1/2\] \[replica {replica}/2\] Throughput: [\d.]+ imgs/sec"
            assert len(re.findall(line, out, re.MULTILINE)) >= 3
        expected = {"num_devices": "4", "host_calls": "3", "samples": "48", "latency_samples": "24"}
        assert {key: figure(out, key) for key in expected} == expected
        assert figure(out, "cores_per_instance") == str(available_cores())
        assert "(sum of 2 instances of 2 replicas)" in figure(out, "peak_memory")

    def test_no_photograph_is_decoded_by_two_of_them_in_one_pass(
        self, photographs: Path, ready_model: list[str]
    ) -> None:
        argv = [
            *ready_model,
            "--data",
            "real",
            "--images",
            str(photographs),
            "--iterations",
            "1",
            "--cache-images",
        ]
        with instances(by_hand(), *argv, before=REPORTING_IMAGES) as processes:
            decoded = []
            for process in processes:
                code, _, err = ended(process)
                assert code == 0, err
                decoded.append(re.findall(r"^decoded (.*)$", err, re.MULTILINE))
        assert sorted(decoded[0] + decoded[1]) == sorted(path.name for path in photographs.glob("*.jpg"))
        assert abs(len(decoded[0]) - len(decoded[1])) <= 1


@two_cores
class TestRefusals:
    def test_what_all_refuse_ends_all_with_2_and_the_same_words(self, ready: list[str]) -> None:
        with instances(by_hand(), *ready, "--no-random-weights", "--weights", "nowhere.pth") as processes:
            for process in processes:
                code, out, err = ended(process)
                assert (code, out) == (2, "")
                assert "nowhere.pth" in err

    def test_what_the_first_one_refuses_is_known_to_the_others(
        self, ready: list[str], tmp_path: Path
    ) -> None:
        with instances(by_hand(), *ready, "--data", "real", "--images", str(tmp_path / "none")) as processes:
            for process in processes:
                code, _, err = ended(process)
                assert code == 2
                assert "no such folder of images" in err

    @pytest.mark.parametrize(
        ("set_variables", "complaint"),
        [
            ({"RANK": "0"}, "WORLD_SIZE is not"),
            ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}, "RANK=2"),
            ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK=x"),
            ({"POPDIST_NUM_TOTAL_REPLICAS": "4"}, "popdist is not installed: enable the Poplar SDK"),
        ],
    )
    def test_an_environment_that_cannot_be_is_refused_by_name(
        self, set_variables: dict[str, str], complaint: str
    ) -> None:
        with instances([set_variables], *GENERATED) as (process,):
            code, out, err = ended(process)
        assert (code, out) == (2, "")
        assert complaint in err
        assert len(err.splitlines()) == 1

    def test_a_port_that_is_taken_is_named(self, ready: list[str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            place = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            with instances([place], *ready) as (process,):
                code, _, err = ended(process)
        assert code == 2
        assert f"MASTER_PORT {port} cannot be used" in err


@two_cores
class TestEnds:
    @pytest.mark.parametrize("dying", [0, 1])
    def test_one_that_is_killed_is_named_and_the_other_ends(self, ready: list[str], dying: int) -> None:
        with instances(by_hand(), *ready, "--duration", "600") as processes:
            for process in processes:
                assert process.stdout is not None
                while "Throughput" not in process.stdout.readline():
                    assert process.poll() is None
            processes[dying].kill()
            code, out, err = ended(processes[1 - dying])
        assert code == 1
        assert f"error: instance {dying + 1}/2 (process {processes[dying].pid} on " in err
        assert "results:" not in out

    @pytest.mark.parametrize("present", [0, 1])
    def test_one_that_never_comes_is_named_in_time(self, ready: list[str], present: int) -> None:
        place = by_hand()[present]
        with instances([place], *ready, before=IMPATIENT) as (process,):
            code, _, err = ended(process)
        assert code == 1
        assert err.startswith(f"error: instance {2 - present}/2 did not join in time")
        assert err.count("\n") == 1
        assert JOIN_TIMEOUT_S + GRACE_S < 30  # as the page promises

    def test_torchrun_fails_when_one_is_killed(self) -> None:
        argv = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "--master-port",
            str(free_port()),
        ]
        killed = "import os, signal\nif os.environ['RANK'] == '1': os.kill(os.getpid(), signal.SIGKILL)"
        code = f"{killed}\nimport sys, run_benchmark; sys.exit(run_benchmark.main())"
        done = subprocess.run(
            [*argv, "--no-python", sys.executable, "-c", code, *GENERATED],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=HANG_S,
        )  # fmt: skip
        assert done.returncode == 1
        assert "results:" not in done.stdout


def test_an_ordinary_run_knows_nothing_of_other_processes() -> None:
    code = (
        "import sys, os\nfrom driver import command\n"
        "with command.joined(os.environ) as group: print(group.count, group.launcher)\n"
        "print({'torch', 'driver.instances.gloo', 'driver.instances.poprun'} & set(sys.modules))"
    )
    batch_shell = environment(SLURM_JOB_ID="7", SLURM_PROCID="0", SLURM_NTASKS="4", WORLD_SIZE="1")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=batch_shell, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 none\nset()\n"


@two_cores
@pytest.mark.skipif(not shutil.which("mpirun"), reason="needs Open MPI")
def test_the_pages_mpirun_runs() -> None:
    done = example("mpirun", "--iterations", "2")
    assert done.returncode == 0, done.stderr
    assert figure(done.stdout, "launcher") == "mpirun"
    assert figure(done.stdout, "instances") == "2"


def test_the_runner_counts_the_pages_command_once() -> None:
    commands = re.findall(r"^ *cmd: (.*)$", PAGE, re.MULTILINE)
    assert commands
    assert [mpi_instances(command.split()) for command in commands] == [1] * len(commands)
