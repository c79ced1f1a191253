"""Where the instances meet first: a torch.distributed store, which instance 0 or the launcher has."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import torch.distributed as dist

from driver.instances.errors import InstanceLost, LaunchError
from driver.instances.launch import Launch

RETRY_S = 0.05
LOOPBACK = "127.0.0.1"


def open_store(launch: Launch, until_s: float) -> tuple[dist.Store, str]:
    """The store, and the address of the host that instance 0 runs on.

    Waits for it until `until_s` by time.monotonic(). Raises `LaunchError` where instance 0 cannot have
    it at the port that was asked for, `InstanceLost` where it does not come up.
    """
    if launch.index == 0 and not launch.launcher_store:
        return _own_store(launch), launch.address or LOOPBACK
    address, port = _answering(launch, until_s)
    store = dist.TCPStore(address, port, is_master=False, timeout=_left(until_s), wait_for_workers=False)
    # torchrun's store outlives an attempt of its, and its keys with it.
    return dist.PrefixStore(f"run_benchmark {launch.job}", store), address


def listener(launch: Launch, port: int = 0) -> socket.socket:
    """A listening socket of instance 0; on one host, the other hosts cannot reach it. Port 0: any free one."""
    if launch.one_host:
        return socket.create_server((LOOPBACK, port), backlog=launch.count)
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, backlog=launch.count, dualstack_ipv6=True
        )
    return socket.create_server(("", port), backlog=launch.count)


def address_file(launch: Launch) -> Path:
    """Where instance 0 leaves its port for the others on its host, if no port was agreed upon."""
    key = hashlib.sha256(f"{os.getuid()} {launch.launcher} {launch.job}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"run_benchmark-{key}.port"


def _own_store(launch: Launch) -> dist.Store:
    try:
        server = listener(launch, launch.port or 0)
    except OSError as error:
        raise LaunchError(
            f"MASTER_PORT {launch.port} cannot be used on this host ({error.strerror}): set MASTER_PORT to a free "
            "port, the same for all instances"
        ) from error
    port = server.getsockname()[1]
    store = dist.TCPStore(
        LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=server.detach()
    )
    if launch.port is None:
        _leave_port(address_file(launch), port)
    return dist.PrefixStore(f"run_benchmark {launch.job}", store)


def _leave_port(path: Path, port: int) -> None:
    """Writes `path` as a whole or not at all; it stays this user's alone."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w") as file:
        file.write(str(port))
    Path(draft).replace(path)


def _answering(launch: Launch, until_s: float) -> tuple[str, int]:
    """Address and port of the store, as soon as something listens there."""
    while True:
        address, port = launch.address or LOOPBACK, launch.port or _left_port(address_file(launch))
        if port is not None:
            try:
                socket.create_connection((address, port), timeout=5).close()
                return address, port
            except socket.gaierror as error:
                raise LaunchError(
                    f"MASTER_ADDR {address}: no such host ({error.strerror}): set MASTER_ADDR to a name or address "
                    "of instance 1's host that the other hosts know"
                ) from error
            except OSError:
                pass  # not yet
        if time.monotonic() > until_s:
            where = f"at {address}:{port}" if port else f"by way of {address_file(launch)}"
            raise InstanceLost(
                f"instance 1/{launch.count} did not join in time {where}: it has ended, was never started, or is "
                "elsewhere (MASTER_ADDR, MASTER_PORT)"
            )
        time.sleep(RETRY_S)


def _left_port(path: Path) -> int | None:
    try:
        if path.stat().st_uid != os.getuid():
            return None
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _left(until_s: float) -> timedelta:
    return timedelta(seconds=max(until_s - time.monotonic(), 1.0))
