"""The server's process: started on a free port, monitored, and ended with all its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.binary import Triton, link_python_backend
from serving.channel import connect, status_of
from serving.errors import NoAnswer, ServingError
from serving.log import likely_remedy, tail
from serving.own_folder import own_folder, region_prefix

if TYPE_CHECKING:
    from tritonclient.grpc import InferenceServerClient
    from tritonclient.utils import InferenceServerException

HOST = "127.0.0.1"
START_S = 300.0
"""How long a server may take to answer; 2 s is usual."""

STOP_S = 10.0
"""How long a server may take to end after SIGTERM before it is killed; 3 s is usual."""

DYING_S = 30.0
"""How long the process of a killed server may outlive its connections; milliseconds are usual."""

CONTROL_S = 60.0
"""How long the server may take for a call that usually takes milliseconds."""

PORTS_TRIED = 3
"""Another program may take a free port before the server starts."""

POLL_S = 0.05


@dataclass(frozen=True)
class Server:
    """A server that answers at `address`; `control` may be used by one thread at a time."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path
    control: InferenceServerClient

    def ask(self, call: Callable[..., Any], *about: object, within_s: float | None = None) -> Any:
        """The result of `call`, a method of `control`, with the arguments `about`.

        Raises:
            NoAnswer: No answer within `within_s` (default: `CONTROL_S`); with the end of the log if the server has
                ended.
            ServingError: The server returned an error, which is quoted.
        """
        from tritonclient.utils import InferenceServerException

        within_s = within_s or CONTROL_S
        try:
            return call(*about, client_timeout=within_s)
        except InferenceServerException as error:
            raise self._failed(call.__name__, within_s, error) from None

    def end(self, wait_s: float = DYING_S) -> str:
        """How the server ended, if it does within `wait_s`, with the end of its log; empty if it still runs.

        Also ends the processes that it left behind.
        """
        try:
            code = self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return ""
        stop(self.process)
        return _ended(code, self.log)

    def _failed(self, call: str, within_s: float, error: InferenceServerException) -> ServingError:
        status = status_of(error)
        if ended := self.end(DYING_S if status == "UNAVAILABLE" else 0.0):
            return NoAnswer(ended)
        if status in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            return NoAnswer(
                f"tritonserver at {self.address} did not answer {call} within {within_s:g} s ({status}); "
                f"see the log: {self.log}"
            )
        return ServingError(str(error.message()))


@contextmanager
def running_server(
    triton: Triton, repository: Path, log: Path, grpc_port: int | None = None
) -> Iterator[Server]:
    """Starts a server without models, which are loaded by name; `grpc_port` None means a free one.

    Its output goes to `log`. Raises `ServingError`, with the end of the log and a remedy, if it does not start. At the
    end of the block it is stopped with all its children.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with own_folder() as folder:
        arguments = [
            f"--model-repository={repository}",
            *link_python_backend(triton, folder),
            f"--backend-config=python,shm-region-prefix-name={region_prefix(folder)}",
        ]
        server = _started(triton, arguments, log, grpc_port)
        try:
            yield server
        finally:
            server.control.close()
            stop(server.process)


def free_port() -> int:
    """A port of this machine on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the server does, for ports just released
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stops the server and its process group."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _started(triton: Triton, arguments: Sequence[str], log: Path, grpc_port: int | None) -> Server:
    """Starts a server and waits until it answers; retries on another free port if the first was taken."""
    for attempt in range(1, PORTS_TRIED + 1):
        port = grpc_port or free_port()
        process = _start(triton, [*arguments, *_own_arguments(port)], log)
        try:
            return _once_it_answers(process, port, log)
        except _PortTaken as taken:
            stop(process)
            if grpc_port is not None or attempt == PORTS_TRIED:
                raise ServingError(str(taken)) from None
        except BaseException:
            stop(process)
            raise
    raise AssertionError("unreachable")


def _own_arguments(port: int) -> list[str]:
    return [
        f"--id={_identity(port)}",
        "--model-control-mode=explicit",  # loads models only when needed: idle ones take memory
        "--exit-on-error=false",
        "--disable-auto-complete-config",
        f"--grpc-address={HOST}",
        f"--grpc-port={port}",
        "--allow-http=false",
        "--allow-metrics=false",  # its statistics come by gRPC, and collecting metrics takes time
        "--exit-timeout-secs=3",
    ]


def _identity(port: int) -> str:
    """The server's id, so that no other server is mistaken for it."""
    return f"benchmark-{os.getpid()}-{port}"


def _start(triton: Triton, arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """The server's process, in its own process group, which Ctrl-C at a terminal does not reach."""
    end_with_parent = [
        sys.executable,
        "-I",
        str(Path(__file__).with_name("end_with_parent.py")),
        str(os.getpid()),
    ]
    with log.open("ab") as output:
        output.write(f"$ {triton.program} {' '.join(arguments)}\n".encode())
        output.flush()
        return subprocess.Popen(
            [*end_with_parent, str(triton.program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **triton.environment},
            start_new_session=True,
        )


class _PortTaken(Exception):
    """The server found its port taken."""


def _once_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> Server:
    address = f"{HOST}:{port}"
    control = connect(address)
    until_s = time.monotonic() + START_S
    try:
        while time.monotonic() < until_s:
            if (code := process.poll()) is not None:
                taken = "already in use" in tail(log, lines=6)
                raise (_PortTaken if taken else ServingError)(_ended(code, log))
            if _is_ready(control, _identity(port)):
                return Server(address, process, log, control)
            time.sleep(POLL_S)
        raise ServingError(
            f"tritonserver did not answer at {address} within {START_S:.0f} s: {likely_remedy(log)}; "
            f"the end of its log:\n{tail(log)}"
        )
    except BaseException:
        control.close()
        raise


def _is_ready(control: InferenceServerClient, identity: str) -> bool:
    from tritonclient.utils import InferenceServerException

    try:
        ready = control.is_server_ready(client_timeout=1.0)
        return bool(ready and control.get_server_metadata(client_timeout=1.0).name == identity)
    except InferenceServerException:
        return False


def _ended(code: int, log: Path) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"tritonserver {how}: {likely_remedy(log)}; the end of its log ({log}):\n{tail(log)}"
