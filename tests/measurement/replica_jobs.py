"""What replicas do in the tests: jobs that a fresh process can import, with an engine that only takes its time."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from measurement.loop import Measurement, measure
from measurement.replica_link import Link
from measurement.settings import resolve


@dataclass(frozen=True)
class Found:
    ready_ns: int
    cores: list[int]
    measurement: Measurement


@dataclass
class Call:
    outputs: np.ndarray
    round_trip_ns: np.ndarray
    round_trip_is_range: bool = False
    transfer_ns: np.ndarray | None = None


class Batch:
    micro_batches: Sequence[Any] = ()
    labels = None
    decode_wait_ns = 0


class Source:
    works_ahead = False

    def next(self) -> Batch:
        return Batch()


class Engine:
    def __init__(self, takes_s: float) -> None:
        self.takes_s, self.calls = takes_s, 0

    def run(self, batches: Sequence[Any]) -> Call:
        self.calls += 1
        time.sleep(self.takes_s)
        return Call(np.zeros((1, 1, 2), np.float32), np.full(1, self.calls, np.int64))


def measures(takes_s: Sequence[float], link: Link) -> Found:
    """The replica of this rank takes `takes_s[rank]` for a host call, and as long again to get ready."""
    settings = resolve({"data": "generated"}, None, "cpu", "torch")[0]
    time.sleep(takes_s[link.rank])
    ready_ns = time.perf_counter_ns()
    link.begin(f"facts of {link.rank}")
    measurement = measure(Engine(takes_s[link.rank]), Source(), settings, link.on_call, ended=link.ended)
    return Found(ready_ns, sorted(os.sched_getaffinity(0)), measurement)


def second_fails(how: str, link: Link) -> Found:
    """The second replica ends before its time; the first goes on for ever."""
    if link.rank == 1 and how.startswith("before"):
        fail(how)
    link.begin(None)
    if link.rank == 1:
        fail(how)
    while True:
        time.sleep(0.01)


def fail(how: str) -> None:
    match how.rpartition(" ")[2]:
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exits":
            os._exit(3)
        case "refuses":
            raise ValueError("--model x: no such model")
        case "raises":
            raise RuntimeError("the device is on fire")
