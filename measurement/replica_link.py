"""A replica's side: what it and its parent tell each other over their connection."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import Any

from measurement.loop import TimedCall

TELL_EVERY_NS = 50_000_000
"""A replica tells of its host calls in bundles: a parent that is woken for each would disturb the others."""

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
    """What the job returned."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """What the job raised."""

    error: Exception


class Link:
    """Handed to a replica's job, which calls `begin` once, `on_call` after each host call and then asks `ended`."""

    def __init__(self, rank: int, world_size: int, channel: connection.Connection) -> None:
        self.rank, self.world_size, self.channel = rank, world_size, channel
        self._untold: list[TimedCall] = []
        self._told_ns = 0
        self._stopped = False

    def begin(self, facts: Any) -> None:
        """The barrier: returns when all replicas have called it."""
        self.channel.send(Ready(facts))
        self.channel.recv()

    def on_call(self, call: TimedCall) -> None:
        """Tells the parent of a host call, now or with later ones."""
        self._untold.append(call)
        now_ns = time.perf_counter_ns()
        if now_ns - self._told_ns >= TELL_EVERY_NS:
            self.channel.send(Calls(self._untold))
            self._untold, self._told_ns = [], now_ns
            self._stopped = self.channel.poll()

    def ended(self) -> bool:
        """Whether the parent said to stop."""
        return self._stopped


def replica_main(job: Callable[[Link], Any], link: Link) -> None:
    """The replica's process: runs the job and sends what became of it."""
    threading.Thread(target=_die_with_parent, name="parent-watch", daemon=True).start()
    try:
        link.channel.send(Done(job(link)))
    # The parent tells the user, whatever it is.
    except Exception as error:
        link.channel.send(Failed(error if isinstance(error, ValueError) else RuntimeError(_words(error))))


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)  # nobody is left to answer to, and engines may not react for minutes


def _words(error: Exception) -> str:
    return str(error) if type(error).__module__ != "builtins" else f"{type(error).__name__}: {error}"
