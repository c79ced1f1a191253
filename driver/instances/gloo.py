"""Instances started by torchrun, mpirun, srun or by hand, connected by torch.distributed's gloo.

Gloo's own thread wakes up 100 times per second, during host calls too; that is about 0.2% of one core.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TypeVar

import torch
import torch.distributed as dist

from driver.exit_codes import exit_code
from driver.instances import cores
from driver.instances.errors import InstanceLost
from driver.instances.failure_detection import GRACE_S, Watch, notice_silent_hosts, stop_process
from driver.instances.launch import Launch
from driver.instances.rendezvous import all_joined, open_store
from measurement.machine import use_only

T = TypeVar("T")

AS_LONG_AS_IT_TAKES = timedelta(days=7)
"""The watch ends a wait for an instance that is gone; an instance may compile for an hour."""


@dataclass(frozen=True)
class GlooGroup:
    launcher: str
    index: int
    count: int
    remarks: tuple[str, ...]
    watch: Watch

    @staticmethod
    def join(launch: Launch, timeout_s: float) -> GlooGroup:
        """The group of this process, which from here on uses only its share of the host's cores."""
        watch = _connected(launch, timeout_s)
        try:
            places = _gathered(cores.place(), launch.count)
            use_only(own := cores.own_cores(places, launch.index))
            torch.set_num_threads(len(own))
        except BaseException as error:
            _abort(watch, error)
            raise
        if len({place.host for place in places}) > 1:
            notice_silent_hosts()
        return GlooGroup(launch.launcher, launch.index, launch.count, cores.remarks(places), watch)

    def gather(self, value: T) -> list[T]:
        return _gathered(value, self.count)

    def barrier(self) -> None:
        with _watch_reports_first():
            dist.barrier()

    def all_reached(self) -> bool:
        return self._reached.is_completed()

    @cached_property
    def _reached(self) -> dist.Work:
        """A barrier that this instance enters without waiting."""
        return dist.barrier(async_op=True)

    def close(self, error: BaseException | None = None) -> None:
        if error is not None:
            _abort(self.watch, error)
            return
        self.barrier()  # instance 0 serves the store until no instance needs it
        self.watch.leave()
        dist.destroy_process_group()


def _connected(launch: Launch, timeout_s: float) -> Watch:
    until_s = time.monotonic() + timeout_s
    store = open_store(launch, until_s)
    names = all_joined(store, launch, until_s)
    unconnected = (
        f"the instances did not connect to each other within {timeout_s:g} s: one has ended, or their hosts "
        "cannot reach each other (GLOO_SOCKET_IFNAME selects the network interface)"
    )
    limit = threading.Timer(timeout_s, stop_process, (unconnected, 1))
    limit.daemon = True
    limit.start()
    try:
        dist.init_process_group(
            "gloo", store=store, rank=launch.index, world_size=launch.count, timeout=AS_LONG_AS_IT_TAKES
        )
    except RuntimeError as error:
        raise InstanceLost(f"{unconnected}: {_first_line(error)}") from error
    finally:
        limit.cancel()
    return Watch.start(launch.index, names)


def _gathered(value: T, count: int) -> list[T]:
    everyones: list[T] = [value] * count
    with _watch_reports_first():
        dist.all_gather_object(everyones, value)
    return everyones


@contextmanager
def _watch_reports_first() -> Iterator[None]:
    """Gives the watch time to end this process: a collective notices a broken connection, the watch knows whose."""
    try:
        yield
    except RuntimeError as error:
        time.sleep(2 * GRACE_S)
        raise InstanceLost(f"the connections between the instances broke ({_first_line(error)})") from error


def _first_line(error: RuntimeError) -> str:
    return str(error).partition("\n")[0]


def _abort(watch: Watch, error: BaseException) -> None:
    watch.leave(str(error) or type(error).__name__, exit_code(error))
