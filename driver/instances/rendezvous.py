"""The rendezvous of the instances: a torch.distributed store, served by instance 0 or by the launcher."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from datetime import timedelta

import torch.distributed as dist

from driver.instances.errors import InstanceLost, LaunchError
from driver.instances.failure_detection import GRACE_S
from driver.instances.launch import LOOPBACK, Launch


def open_store(launch: Launch, until_s: float) -> dist.Store:
    """Connects to the store, until `until_s` by time.monotonic().

    Raises:
        LaunchError: Instance 0 cannot serve it at the requested port, or its host does not exist.
        InstanceLost: The store does not come up.
    """
    store = _served(launch) if launch.index == 0 and not launch.launcher_store else _reached(launch, until_s)
    # torchrun's store and its keys outlive a restart of the instances.
    return dist.PrefixStore(f"run_benchmark {launch.job}", store)


def all_joined(store: dist.Store, launch: Launch, until_s: float) -> list[str]:
    """Waits for all instances, and returns their names, for messages.

    Raises `InstanceLost`, at all that have joined, for those that have not by `until_s`.
    """
    keys = [f"joined {index}" for index in range(launch.count)]
    store.set(keys[launch.index], f"process {os.getpid()} on {socket.gethostname()}")
    try:
        if launch.index == 0:
            with suppress(dist.DistStoreError):
                store.wait(keys, _left(until_s))
            store.set("missing", json.dumps([n for n, key in enumerate(keys) if not store.check([key])]))
        store.wait(["missing"], _left(until_s + GRACE_S))
        missing = json.loads(store.get("missing"))
        store.set(f"read {launch.index}", "")
        if not missing:
            return [f"{_name(n, launch)} ({store.get(key).decode()})" for n, key in enumerate(keys)]
        if launch.index == 0:  # the store ends with this process
            with suppress(dist.DistStoreError):
                present = set(range(launch.count)) - set(missing)
                store.wait([f"read {n}" for n in present], timedelta(seconds=GRACE_S))
    except dist.DistError as error:
        reason = str(error).partition("\n")[0]
        raise InstanceLost(f"{_name(0, launch)} ended, or is no longer reachable ({reason})") from error
    names = ", ".join(_name(n, launch) for n in missing)
    raise InstanceLost(f"{names} did not join in time: ended, or never started")


def _served(launch: Launch) -> dist.Store:
    """The store that this process serves; on the loopback interface if all run on one host."""
    try:
        listening = socket.create_server((LOOPBACK, launch.port)).detach() if launch.one_host else None
        return dist.TCPStore(
            LOOPBACK, launch.port, is_master=True, wait_for_workers=False, master_listen_fd=listening
        )
    except (OSError, dist.DistNetworkError) as error:
        raise LaunchError(
            f"MASTER_PORT {launch.port} cannot be used on this host ({str(error).partition(chr(10))[0]}): set "
            "MASTER_PORT to a free port, the same for all instances"
        ) from error


def _reached(launch: Launch, until_s: float) -> dist.Store:
    try:
        socket.getaddrinfo(launch.address, launch.port)
        return dist.TCPStore(
            launch.address, launch.port, is_master=False, wait_for_workers=False, timeout=_left(until_s)
        )
    except socket.gaierror as error:
        raise LaunchError(
            f"MASTER_ADDR {launch.address}: no such host ({error.strerror}): set MASTER_ADDR to a name or address "
            "of instance 1's host that the other hosts know"
        ) from error
    except dist.DistNetworkError as error:
        raise InstanceLost(
            f"{_name(0, launch)} did not join in time at {launch.address}:{launch.port}: it has ended, was never "
            "started, or is elsewhere (MASTER_ADDR, MASTER_PORT)"
        ) from error


def _name(index: int, launch: Launch) -> str:
    return f"instance {index + 1}/{launch.count}"


def _left(until_s: float) -> timedelta:
    return timedelta(seconds=max(until_s - time.monotonic(), 1.0))
