"""Faults of servers, models and clients are reported with a message, and nothing is left running."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from serving import server as server_module
from serving.answers import differences, in_process
from serving.binary import Triton, find_triton
from serving.channel import connect
from serving.connection import Client, Connection, RequestType
from serving.errors import NoAnswer, ServingError
from serving.load import Load, under_load
from serving.loading import loaded
from serving.own_folder import SHARED_MEMORY, own_folder
from serving.repository import write_model
from serving.served_model import ROOT, served_model
from serving.server import HOST, Server, free_port, running_server
from serving.shared_images import registered, shared_images
from serving.statistics import counters
from tests.patience import HANG_S
from tests_serial.tritonserver.hanging import stop_in_place
from tests_serial.tritonserver.tiny import TINY

WRAPPER = ROOT / "run_benchmark_with_triton_server.py"


@pytest.fixture(scope="module")
def tiny_served():
    return served_model("tiny", TINY)


@pytest.fixture(scope="module")
def tiny_repository(tmp_path_factory: pytest.TempPathFactory, tiny_served) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder, tiny_served)
    return folder


@pytest.fixture
def own_server(tiny_repository: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that a test may break."""
    with running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server:
        yield server


def processes_of(server: Server) -> list[psutil.Process]:
    root = psutil.Process(server.process.pid)
    return [root, *root.children(recursive=True)]


def assert_all_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=HANG_S)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def in_shared_memory() -> set[str]:
    """The shared memory of servers: of this run, and of concurrent runs."""
    return {path.name for path in SHARED_MEMORY.glob("triton_*")}


def in_shared_memory_after_another_run() -> set[str]:
    """Removes what a killed run has left, as the start of a run does."""
    with own_folder():
        pass
    return in_shared_memory()


class TestServer:
    def test_a_port_that_is_taken_is_refused_before_anything_starts(self, tmp_path: Path) -> None:
        with socket.create_server((HOST, 0)) as other:
            port = other.getsockname()[1]
            done = wrapper("--grpc-port", str(port), "--model-repository", str(tmp_path))
        assert done.returncode == 2
        assert f"--grpc-port {port}: another program uses this port; give another one" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr

    def test_a_port_that_is_taken_meanwhile_is_reported_with_the_log(
        self, tiny_repository: Path, tmp_path: Path
    ) -> None:
        with (
            socket.create_server((HOST, 0)) as other,
            pytest.raises(ServingError, match=r"(?s)give another --grpc-port.*already in use") as raised,
            running_server(find_triton(), tiny_repository, tmp_path / "server.log", other.getsockname()[1]),
        ):
            raise AssertionError("a server at a port that was taken")
        assert str(tmp_path / "server.log") in str(raised.value)

    def test_a_free_port_that_another_program_takes_first_is_left_to_it(
        self, tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server((HOST, 0)) as other:
            ports = iter([other.getsockname()[1], server_module.free_port()])
            monkeypatch.setattr(server_module, "free_port", lambda: next(ports))
            with running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server:
                assert server.control.is_server_ready()
                assert server.address != f"{HOST}:{other.getsockname()[1]}"

    def test_a_program_that_does_not_start_is_reported_with_the_end_of_its_log(
        self, tiny_repository: Path, tmp_path: Path
    ) -> None:
        program = tmp_path / "tritonserver"
        program.write_text(
            "#!/bin/sh\necho 'error while loading shared libraries: libfoo.so.1' >&2\nexit 127\n"
        )
        program.chmod(0o755)
        with (
            pytest.raises(ServingError, match=r"(?s)exit code 127: .*make setup-triton.*libfoo\.so\.1"),
            running_server(Triton(program), tiny_repository, tmp_path / "server.log"),
        ):
            raise AssertionError("a server that ended")

    def test_the_server_on_path_is_preferred(
        self, tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The program brings its own backends; here it passes ours on, as a container's would find its own."""
        from serving.binary import link_python_backend

        packaged = find_triton()
        arguments = link_python_backend(packaged, tmp_path / "backends")
        program = tmp_path / "bin/tritonserver"
        program.parent.mkdir()
        libraries = packaged.environment.get("LD_LIBRARY_PATH", "")
        program.write_text(
            f'#!/bin/sh\nexport LD_LIBRARY_PATH="{libraries}"\nexec {packaged.program} {" ".join(arguments)} "$@"\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        found = find_triton()
        assert (found.program, found.backends) == (program, None)
        with (
            running_server(found, tiny_repository, tmp_path / "server.log") as server,
            loaded(server, "tiny") as instances,
        ):
            assert instances

    def test_all_its_processes_end_with_it(self, tiny_repository: Path, tmp_path: Path) -> None:
        with running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server:
            with loaded(server, "tiny"):
                processes = processes_of(server)
            assert len(processes) > 1
        assert_all_gone(processes)

    def test_nothing_stays_in_shared_memory_of_a_server_that_is_killed(
        self, tiny_repository: Path, tmp_path: Path
    ) -> None:
        before = in_shared_memory_after_another_run()
        with (
            running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server,
            loaded(server, "tiny"),
        ):
            assert in_shared_memory() > before
            server.process.kill()
        assert in_shared_memory() == before

    def test_a_server_that_is_gone_is_reported_with_the_end_of_its_log(self, own_server: Server) -> None:
        with loaded(own_server, "tiny"):
            own_server.process.kill()
            with pytest.raises(NoAnswer, match=r"(?s)killed by SIGKILL: .*the end of its log"):
                counters(own_server, "tiny")

    def test_a_server_that_hangs_is_reported_and_ended(
        self, tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with (
            running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server,
            loaded(server, "tiny"),
        ):
            processes = processes_of(server)
            monkeypatch.setattr(server_module, "CONTROL_S", 1.0)
            monkeypatch.setattr(server_module, "STOP_S", 1.0)
            stop_in_place(server.process)
            with pytest.raises(NoAnswer, match="did not answer get_inference_statistics within 1 s"):
                counters(server, "tiny")
        assert_all_gone(processes)

    def test_the_environments_proxy_is_not_asked_for_this_machine(
        self, tiny_served, tiny_repository: Path, images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        for name in ("grpc_proxy", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{HOST}:1")  # where nobody listens
        with (
            running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server,
            loaded(server, "tiny"),
            shared_images(tiny_served, images) as region,
            registered(server, region),
            Connection(Client(server.address, "tiny", region, 4, RequestType.SYNC, 1, True)) as connection,
        ):
            assert len(connection.ask(0, 4)) == 4

    def test_a_server_that_does_not_end_when_asked_to_is_killed(
        self, tiny_repository: Path, tmp_path: Path
    ) -> None:
        with running_server(find_triton(), tiny_repository, tmp_path / "server.log") as server:
            stop_in_place(server.process)
        assert server.process.returncode == -signal.SIGKILL


class TestLoad:
    @pytest.mark.parametrize("request_type", list(RequestType), ids=str)
    def test_clients_report_at_once_a_server_that_is_killed(
        self, own_server: Server, tiny_served, images, request_type: RequestType
    ) -> None:
        killed_s: list[float] = []

        def kill_once(line: str) -> None:
            if not killed_s:
                own_server.process.kill()
                killed_s.append(time.monotonic())

        with (
            loaded(own_server, "tiny"),
            shared_images(tiny_served, images) as region,
            registered(own_server, region),
        ):
            processes = processes_of(own_server)
            with pytest.raises(
                ServingError, match=r"client \d/4: the server is gone: .*\n.*killed by SIGKILL"
            ):
                under_load(own_server, tiny_served, region, Load(request_type, 4), 2 * HANG_S, kill_once)
            assert time.monotonic() - killed_s[0] < HANG_S
        assert_all_gone(processes)
        assert not multiprocessing.active_children()

    def test_a_client_that_is_killed_is_named_and_the_server_goes_on(
        self, own_server: Server, tiny_served, tiny_repository: Path, images
    ) -> None:
        killed: list[int] = []

        def kill_one(line: str) -> None:
            if not killed:
                child = multiprocessing.active_children()[0]
                child.kill()
                killed.append(child.pid or 0)

        with (
            loaded(own_server, "tiny") as instances,
            shared_images(tiny_served, images) as region,
            registered(own_server, region),
        ):
            with pytest.raises(ServingError, match=r"client \d/4 was killed by SIGKILL"):
                under_load(own_server, tiny_served, region, Load(RequestType.SYNC, 4), 2 * HANG_S, kill_one)
            assert not multiprocessing.active_children()
            client = Client(own_server.address, "tiny", region, 4, RequestType.SYNC, 1, True)
            with Connection(client) as connection:
                expected = in_process(tiny_served, region, tiny_repository)[:4]
                assert not differences(connection.ask(0, 4), expected, instances[0]["effective"]["dtype"])


class TestModels:
    def test_a_model_that_does_not_load_is_named_and_the_others_are_served(
        self, own_server: Server, tiny_served, tiny_repository: Path
    ) -> None:
        broken = tiny_repository / "broken"
        shutil.copytree(tiny_repository / "tiny", broken)
        try:
            text = (broken / "config.pbtxt").read_text()
            (broken / "config.pbtxt").write_text(text.replace('name: "tiny"', 'name: "broken"', 1))
            for export in broken.glob("1/*.zip"):
                export.write_bytes(export.read_bytes()[:-1000])
            with loaded(own_server, "tiny"):
                with (
                    pytest.raises(ServingError, match=r"the model broken does not load: .*zip") as raised,
                    loaded(own_server, "broken"),
                ):
                    raise AssertionError("a broken model")
                assert "\n" not in str(raised.value)
                assert own_server.control.is_model_ready("tiny")
        finally:
            shutil.rmtree(broken)

    def test_a_model_that_nobody_exported_is_named(self, own_server: Server) -> None:
        with (
            pytest.raises(ServingError, match="the model nobody does not load: "),
            loaded(own_server, "nobody"),
        ):
            raise AssertionError("a model that is not there")


class TestRepository:
    def test_an_export_is_used_again_until_what_it_was_made_for_changes(
        self, tiny_served, tiny_repository: Path
    ) -> None:
        def exports() -> dict[str, int]:
            return {path.name: path.stat().st_mtime_ns for path in tiny_repository.glob("tiny/1/*.zip")}

        before = exports()
        write_model(tiny_repository, tiny_served)
        assert exports() == before
        assert len(before) == 2  # of one image, and of the most

        write_model(tiny_repository, served_model("tiny", {**TINY, "micro_batch_size": 2}))
        after = exports()
        assert len(after) == 2
        assert len(set(after) & set(before)) == 1  # that of one image
        write_model(tiny_repository, tiny_served)

    def test_a_damaged_export_is_made_anew(self, tiny_served, tiny_repository: Path) -> None:
        export = next(tiny_repository.glob("tiny/1/*.zip"))
        export.write_bytes(b"no archive")
        warnings = write_model(tiny_repository, tiny_served)
        assert any("is ignored and rewritten" in line for line in warnings)
        assert export.stat().st_size > 1000

    @pytest.mark.skipif(shutil.which("setpriv") is None, reason="root may write anywhere without setpriv")
    def test_a_folder_that_cannot_be_written_to_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "models"
        folder.mkdir()
        folder.chmod(0o555)
        done = wrapper("--model-repository", str(folder), before=("setpriv", "--bounding-set=-dac_override"))
        assert done.returncode == 2
        assert f"--model-repository {folder}: cannot be written to" in done.stderr
        assert "Traceback" not in done.stdout + done.stderr


class TestRuns:
    """Whole runs of the wrapper, on mid-size models that this run has exported already."""

    def test_the_server_listens_at_the_port_that_is_given(self, repository: Path) -> None:
        port = free_port()
        with WholeRun(repository, "--grpc-port", str(port)) as run:
            run.until_measuring()
            with connect(f"{HOST}:{port}") as control:
                assert control.get_server_metadata().name == f"benchmark-{run.process.pid}-{port}"
                assert control.is_model_ready("mobilenet-v3-small")
            os.killpg(run.process.pid, signal.SIGINT)
            run.rest()
        assert_all_gone(run.all_processes)

    def test_a_server_that_is_killed_fails_the_test_in_words(self, repository: Path) -> None:
        with WholeRun(repository) as run:
            server = run.until_measuring()
            server.kill()
            out = run.rest()
        assert run.process.returncode == 1
        assert re.search(r"client \d/4: the server is gone", out)
        assert "tritonserver was killed by SIGKILL" in out
        assert "Traceback" not in out
        assert_all_gone(run.all_processes)

    @pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
    def test_nothing_is_left_of_a_run_that_is_stopped(self, repository: Path, sent, code: int) -> None:
        before = in_shared_memory_after_another_run()
        with WholeRun(repository) as run:
            run.until_measuring()
            os.killpg(run.process.pid, sent) if sent == signal.SIGINT else run.process.send_signal(sent)
            run.rest()
        assert run.process.returncode == code
        assert_all_gone(run.all_processes)
        if sent == signal.SIGINT:
            assert in_shared_memory() == before
        assert in_shared_memory_after_another_run() == before

    def test_nothing_is_left_of_a_run_that_is_killed_once_the_next_one_begins(self, repository: Path) -> None:
        before = in_shared_memory_after_another_run()
        with WholeRun(repository) as run:
            run.until_measuring()
            run.process.kill()
            run.process.wait(HANG_S)
        assert_all_gone(run.all_processes)
        assert in_shared_memory_after_another_run() == before


def wrapper(*words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [
        *before,
        sys.executable,
        str(WRAPPER),
        "--collect-only",
        "-q",
        *words,
        "tests_serial/tritonserver",
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


class WholeRun:
    """The wrapper, on one throughput test that lasts longer than any wait for its end."""

    def __init__(self, repository: Path, *more: str) -> None:
        words = [
            "-s", "--benchmark_only=true", "--duration", str(2 * HANG_S), "--model-repository", str(repository),
            "-k", "test_single_model[mobilenet-v3-small-mobilenet-v3-small-RequestType.ASYNC-4]",
            "-p", "no:cacheprovider", *more, "tests_serial/tritonserver/",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, str(WRAPPER), *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.all_processes: list[psutil.Process] = []

    def until_measuring(self) -> psutil.Process:
        """Waits for the first reported host call. Returns the server."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if "Throughput: " in line:
                break
        else:
            raise AssertionError("".join(seen))
        own = psutil.Process(self.process.pid)
        self.all_processes = [own, *own.children(recursive=True)]
        return next(process for process in self.all_processes if process.name().startswith("tritonserver"))

    def rest(self) -> str:
        return self.process.communicate(timeout=HANG_S)[0]

    def __enter__(self) -> WholeRun:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for process in self.all_processes:
            if exception[0] is not None and process.is_running():
                process.kill()
