"""The replica's side of its connection to the parent, and the messages that they exchange."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import Any

from measurement.loop import TimedCall

REPORT_EVERY_NS = 50_000_000
"""A replica reports its host calls in batches: waking the parent for each would disturb the other replicas."""

go, stop = "go", "stop"


@dataclass(frozen=True)
class Ready:
    """The replica has compiled its model and waits for the others; `facts` are for the parent."""

    facts: Any


@dataclass(frozen=True)
class Calls:
    """Timed host calls since the last message, at least one."""

    calls: list[TimedCall]


@dataclass(frozen=True)
class Done:
    """The result of the job."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """The exception that the job raised."""

    error: Exception


class Link:
    """Passed to a replica's job, which calls `begin` once, and after each host call `on_call` and `ended`."""

    def __init__(self, rank: int, world_size: int, channel: connection.Connection) -> None:
        self.rank, self.world_size, self.channel = rank, world_size, channel
        self._unreported: list[TimedCall] = []
        self._reported_ns = 0
        self._stopped = False

    def begin(self, facts: Any) -> None:
        """A barrier: returns when all replicas have called it."""
        self.channel.send(Ready(facts))
        self.channel.recv()

    def on_call(self, call: TimedCall) -> None:
        """Reports a host call to the parent, now or in a batch with later ones."""
        self._unreported.append(call)
        now_ns = time.perf_counter_ns()
        if now_ns - self._reported_ns >= REPORT_EVERY_NS:
            self.channel.send(Calls(self._unreported))
            self._unreported, self._reported_ns = [], now_ns
            self._stopped = self.channel.poll()

    def ended(self) -> bool:
        """Whether the parent has sent `stop`."""
        return self._stopped


def replica_main(job: Callable[[Link], Any], link: Link) -> None:
    """The replica's process: runs the job and sends its result or its error."""
    threading.Thread(target=_die_with_parent, name="parent-watch", daemon=True).start()
    try:
        link.channel.send(Done(job(link)))
    # The parent reports it, whatever it is.
    except Exception as error:
        link.channel.send(Failed(error if isinstance(error, ValueError) else RuntimeError(_message(error))))


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)  # nothing is left to report to, and engines may not react for minutes


def _message(error: Exception) -> str:
    return str(error) if type(error).__module__ != "builtins" else f"{type(error).__name__}: {error}"
