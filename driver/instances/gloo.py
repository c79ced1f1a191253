"""Instances that torchrun, mpirun, srun or a person started, over torch.distributed's gloo.

Gloo's own thread wakes up 100 times a second, measured host calls or not; that is about 0.1 % of one core.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from driver.exit_codes import exit_code
from driver.instances import cores
from driver.instances.errors import InstanceLost
from driver.instances.launch import Launch
from driver.instances.lifeline import GRACE_S, Hub, Lifeline, Spoke
from driver.instances.rendezvous import address_file, listener, open_store

T = TypeVar("T")

JOIN_TIMEOUT_S = 25.0
"""Instances that are started together load torch and come here in seconds; models are built later."""

AS_LONG_AS_IT_TAKES = timedelta(days=7)
"""The lifeline ends a wait for an instance that is gone; one that compiles for an hour is waited for."""


@dataclass(frozen=True)
class GlooGroup:
    launcher: str
    index: int
    count: int
    local_index: int
    local_count: int
    remarks: tuple[str, ...]
    lifeline: Lifeline

    @staticmethod
    def join(launch: Launch) -> GlooGroup:
        """The group of this process, which from here on uses its share of the host's cores alone."""
        lifeline = _connected(launch, time.monotonic() + JOIN_TIMEOUT_S)
        try:
            places = _gathered(cores.place(), launch.count)
            cores.use_only(own := cores.own_cores(places, launch.index))
            torch.set_num_threads(len(own))
        except BaseException as error:
            _leave(lifeline, error)
            raise
        hosts = [place.host for place in places]
        here = hosts[launch.index]
        return GlooGroup(
            launch.launcher,
            launch.index,
            launch.count,
            hosts[: launch.index].count(here),
            hosts.count(here),
            cores.remarks(places),
            lifeline,
        )

    def gather(self, value: T) -> list[T]:
        return _gathered(value, self.count)

    def barrier(self) -> None:
        with _lifeline_speaks_first():
            dist.barrier()

    def all_reached(self) -> bool:
        return self.lifeline.reached()

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self.barrier()  # The store is instance 0's, so none may need it any more.
            dist.destroy_process_group()
        _leave(self.lifeline, error)


def _connected(launch: Launch, until_s: float) -> Lifeline:
    lifeline: Lifeline
    try:
        store, address = open_store(launch, until_s)
        if launch.index == 0:
            server = listener(launch)
            store.set("lifeline", str(server.getsockname()[1]))
            lifeline = Hub.open(server, launch.count, until_s)
        else:
            store.wait(["lifeline"], timedelta(seconds=max(until_s - time.monotonic(), 1.0)))
            lifeline = Spoke.open((address, int(store.get("lifeline"))), launch.index, launch.count, until_s)
    except dist.DistError as error:
        words = str(error).partition("\n")[0]
        raise InstanceLost(f"instance 1/{launch.count} was not to be reached in time ({words})") from error
    finally:
        if launch.index == 0 and launch.port is None:
            address_file(launch).unlink(missing_ok=True)
    with _lifeline_speaks_first():
        dist.init_process_group(
            "gloo", store=store, rank=launch.index, world_size=launch.count, timeout=AS_LONG_AS_IT_TAKES
        )
    return lifeline


def _gathered(value: T, count: int) -> list[T]:
    everyones: list[T] = [value] * count
    with _lifeline_speaks_first():
        dist.all_gather_object(everyones, value)
    return everyones


@contextmanager
def _lifeline_speaks_first() -> Iterator[None]:
    """Where another instance ended, gloo knows that a connection broke; the lifeline knows whose, and says so."""
    try:
        yield
    except RuntimeError as error:
        time.sleep(2 * GRACE_S)
        words = str(error).partition("\n")[0]
        raise InstanceLost(f"the connections between the instances broke ({words})") from error


def _leave(lifeline: Lifeline, error: BaseException | None) -> None:
    if error is None:
        lifeline.leave()
    else:
        lifeline.leave(str(error) or type(error).__name__, exit_code(error))
