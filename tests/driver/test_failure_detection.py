"""Each instance reports at once, and by name, that another one ended; and all end in bounded time."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import pytest

from datasets.errors import DataError
from driver.exit_codes import FAILED, REFUSED, exit_code
from driver.instances import cores, group
from driver.instances.group import Group, joined
from tests.patience import HANG_S
from tests.ports import free_port

pytestmark = pytest.mark.processes

COUNT = 3
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["driver.instances.gloo", __name__])


@dataclass(frozen=True)
class Limits:
    """Of the product, for an instance."""

    join_s: float = HANG_S
    grace_s: float = 0.1
    missing: int | None = None
    """Who does not join."""


PATIENT = Limits()


@dataclass
class Instance:
    process: ForkServerProcess
    orders: Connection
    stderr: Path

    def ask(self, order: Callable[[Group], Any]) -> Any:
        self.orders.send(order)
        return self.answer()

    def answer(self) -> Any:
        assert self.orders.poll(HANG_S)
        return self.orders.recv()

    def ended(self) -> tuple[int | None, str]:
        """Its exit code, and what it printed on stderr."""
        self.process.join(HANG_S)
        return self.process.exitcode, self.stderr.read_text()


@contextmanager
def started(
    indices: tuple[int, ...],
    folder: Path,
    port: int | None = None,
    limits: Limits = PATIENT,
) -> Iterator[Mapping[int, Instance]]:
    """Instances that do what `ask` orders, and end where they are ordered to leave."""
    port = port or free_port()
    instances = {}
    for index in indices:
        ours, theirs = CONTEXT.Pipe()
        stderr = folder / f"stderr {index}"
        process = CONTEXT.Process(target=instance, args=(index, port, limits, theirs, stderr))
        process.start()
        theirs.close()
        instances[index] = Instance(process, ours, stderr)
    try:
        yield instances
    finally:
        for each in instances.values():
            each.process.kill()
            each.process.join()


@contextmanager
def joined_instances(folder: Path, limits: Limits = PATIENT) -> Iterator[Mapping[int, Instance]]:
    with started(tuple(range(COUNT)), folder, limits=limits) as instances:
        for each in instances.values():
            assert each.answer() == "joined"
        yield instances


def instance(index: int, port: int, limits: Limits, orders: Connection, stderr: Path) -> None:
    from driver.instances import failure_detection, gloo

    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - the server of forks has its own
    group.JOIN_TIMEOUT_S = limits.join_s
    failure_detection.GRACE_S = limits.grace_s
    failure_detection.SEND_TIMEOUT = timedelta(seconds=HANG_S)
    gloo.all_joined = partial(all_joined_or, limits.missing)
    cores.host_name = lambda: f"host {index}"  # so that each may have all cores of this host
    place = {"RANK": index, "WORLD_SIZE": COUNT, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    try:
        with joined({name: str(value) for name, value in place.items()}) as members:
            orders.send("joined")
            while (order := orders.recv()) is not None:
                orders.send(order(members))
    except (*FAILED, *REFUSED) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(exit_code(error))


def all_joined_or(missing: int | None, store: Any, launch: Any, until_s: float) -> list[str]:
    """The first instance gives up the one that is missing as soon as all others have joined."""
    from driver.instances.rendezvous import all_joined

    if launch.index == 0 and missing is not None:
        store.wait([f"joined {n}" for n in {1, 2} - {missing}], timedelta(seconds=HANG_S))
        until_s = time.monotonic()
    return all_joined(store, launch, until_s)


def die(group: Group) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort(group: Group) -> None:
    raise DataError("--images nowhere: no such folder")


def gather(group: Group) -> list[int]:
    return group.gather(group.index)


def all_reached(group: Group) -> bool:
    return group.all_reached()


def wait_until_all_reached(group: Group) -> bool:
    until_s = time.monotonic() + HANG_S
    while not group.all_reached():
        assert time.monotonic() < until_s
    return True


def silence_allowed_s(group: Group) -> set[tuple[int, int]]:
    """How long each connection of this process may be silent: idle, and with data under way."""
    found = set()
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_ESTABLISHED:
            with socket.socket(fileno=os.dup(connection.fd)) as own:
                option = partial(own.getsockopt, socket.IPPROTO_TCP)
                idle_s, every_s, probes = map(
                    option, (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                )
                assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                found.add((idle_s + every_s * probes, option(socket.TCP_USER_TIMEOUT) // 1000))
    return found


@pytest.mark.parametrize("dead", range(COUNT))
def test_one_that_dies_is_named_by_all_others(dead: int, tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        pid = instances[dead].process.pid
        instances[dead].orders.send(die)
        for index in set(range(COUNT)) - {dead}:
            code, stderr = instances[index].ended()
            assert code == 1
            assert stderr.startswith(f"error: instance {dead + 1}/3 (process {pid} on ")
            assert stderr.count("error") == 1


def test_one_that_dies_while_the_others_wait_for_it_is_named(tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        for index in (0, 1):
            instances[index].orders.send(gather)
        instances[2].orders.send(die)
        for index in (0, 1):
            code, stderr = instances[index].ended()
            assert code == 1
            assert stderr.startswith("error: instance 3/3 (process ")
            assert stderr.count("error") == 1


@pytest.mark.parametrize("aborting", [0, 2])
def test_the_others_repeat_the_error_and_the_exit_code_of_one_that_aborts(
    aborting: int, tmp_path: Path
) -> None:
    with joined_instances(tmp_path) as instances:
        instances[aborting].orders.send(abort)
        assert instances[aborting].ended() == (2, "error: --images nowhere: no such folder\n")
        for index in set(range(COUNT)) - {aborting}:
            code, stderr = instances[index].ended()
            assert code == 2
            assert stderr.startswith(f"error: instance {aborting + 1}/3 (process ")
            assert stderr.endswith("aborted: --images nowhere: no such folder\n")
            assert stderr.count("error") == 1


def test_an_error_that_all_find_is_reported_once_by_each(tmp_path: Path) -> None:
    with joined_instances(tmp_path, replace(PATIENT, grace_s=HANG_S)) as instances:
        for each in instances.values():
            each.orders.send(abort)
        for each in instances.values():
            assert each.ended() == (2, "error: --images nowhere: no such folder\n")


def test_one_that_aborts_does_not_wait_for_one_that_is_stuck(tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        pid = instances[1].process.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        instances[0].orders.send(abort)
        assert instances[0].ended() == (2, "error: --images nowhere: no such folder\n")
        assert instances[2].ended()[0] == 2


def test_all_have_reached_when_the_last_one_has(tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        assert not instances[2].ask(all_reached)
        assert not instances[0].ask(all_reached)
        assert not instances[0].ask(all_reached)
        instances[1].ask(all_reached)
        for each in instances.values():
            assert each.ask(wait_until_all_reached)


def test_instances_that_have_finished_end_in_peace(tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        for each in instances.values():
            each.orders.send(None)
        for each in instances.values():
            assert each.ended() == (0, "")


@pytest.mark.parametrize(
    ("present", "missing", "join_s"), [((0, 2), 1, HANG_S), ((1, 2), 0, 1.0)], ids=["one", "the first"]
)
def test_those_that_join_name_those_that_do_not(
    present: tuple[int, ...], missing: int, join_s: float, tmp_path: Path
) -> None:
    with started(present, tmp_path, limits=Limits(join_s, missing=missing)) as instances:
        for each in instances.values():
            code, stderr = each.ended()
            assert code == 1
            assert f"error: instance {missing + 1}/3 did not join in time" in stderr


def test_a_stranger_at_the_port_does_not_count(tmp_path: Path) -> None:
    port = free_port()
    with started((0,), tmp_path, port=port) as first:
        stranger = connected(port)
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with started((1, 2), tmp_path, port=port) as others:
            for each in (*first.values(), *others.values()):
                assert each.answer() == "joined"
        stranger.close()


def connected(port: int) -> socket.socket:
    until_s = time.monotonic() + HANG_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < until_s


def test_the_kernel_gives_up_connections_to_a_host_that_is_silent(tmp_path: Path) -> None:
    with joined_instances(tmp_path) as instances:
        assert instances[1].ask(silence_allowed_s) == {(25, 25)}
