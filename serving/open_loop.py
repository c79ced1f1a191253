"""A client of the open loop: sends requests when they are due, whether or not answers have arrived.

Latency counts from the time at which a request was due. So a stall of the server counts for all requests that had to
wait, and not only for the one in progress (Gil Tene's "coordinated omission").
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from measurement.replica_link import Link
from serving.connection import Client, Connection
from serving.errors import ServingError

BEYOND_P99 = 0.01

LOOK_S = 1.0
"""How often a client checks that the server is alive while it waits for the next request to be due."""

SILENT_S = 60.0
"""How long the server may send no answer while requests are in flight.

A single request may take longer: at a rate that is far too high, hundreds are queued before it.
"""


@dataclass(frozen=True)
class Answered:
    """The answered requests of one client, all times in int64 ns by the clock that processes share.

    `due_ns`: when each was due; `sent_ns`: when it was sent; `answered_ns`: when its answer arrived. `stopped_early`:
    so many were late that the rest, which could not have changed the verdict, was not sent.
    """

    due_ns: NDArray[np.int64]
    sent_ns: NDArray[np.int64]
    answered_ns: NDArray[np.int64]
    stopped_early: bool


def poisson_arrivals(rate: float, requests: int, seed: int) -> NDArray[np.int64]:
    """Arrival times `(requests,)` in ns after the start, with exponential gaps of mean 1 / rate."""
    gaps_s = np.random.default_rng(seed).exponential(1 / rate, requests)
    return np.asarray(np.cumsum(gaps_s) * 1e9, np.int64)


def dealt(arrivals_ns: NDArray[np.int64], clients: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Each client's share of the arrivals, in order.

    Assigned at random, a Poisson process splits into Poisson processes of the same duration.
    """
    owner = np.random.default_rng((seed, clients)).integers(clients, size=len(arrivals_ns))
    return tuple(arrivals_ns[owner == client] for client in range(clients))


def open_loop(
    client: Client, arrivals_ns: tuple[NDArray[np.int64], ...], limit_ns: int | None, link: Link
) -> Answered:
    """Sends each request of this client when it is due, with at most `in_flight` in flight.

    `arrivals_ns` are those of all clients. With `limit_ns`, stops early once more than 1% of the requests of all
    clients are requests of this client that took longer. Raises `ServingError`, also if the server ends while no
    request is due.
    """
    own_ns = arrivals_ns[link.rank]
    may_be_late = BEYOND_P99 * sum(map(len, arrivals_ns))
    with Connection(client) as connection:
        connection.ask(0, client.batch)
        link.begin(None)
        return _Sender(connection, client, limit_ns, may_be_late).run(time.perf_counter_ns() + own_ns)


class _Sender:
    def __init__(
        self, connection: Connection, client: Client, limit_ns: int | None, may_be_late: float
    ) -> None:
        self._connection, self._client = connection, client
        self._limit_ns, self._may_be_late = limit_ns, may_be_late
        self._free = threading.Semaphore(client.in_flight)
        self._over = threading.Event()  # no more requests are sent
        self._answers: list[tuple[int, int, int]] = []
        self._late = 0
        self._error: ServingError | None = None

    def run(self, due_ns: NDArray[np.int64]) -> Answered:
        firsts = cycle(self._client.region.firsts(self._client.batch))
        for due in map(int, due_ns):
            self._wait_until(due)
            self._take_place()
            if self._over.is_set():
                self._free.release()
                break
            self._send(next(firsts), due)
        for _ in range(self._client.in_flight):
            self._take_place()  # until the last answer has arrived
        if self._error is not None:
            raise self._error
        due, sent, answered = np.array(self._answers, np.int64).reshape(-1, 3).T
        return Answered(due, sent, answered, stopped_early=len(due) < len(due_ns))

    def _wait_until(self, due_ns: int) -> None:
        """Waits until a request is due, or no more requests are sent."""
        while not self._over.is_set() and _seconds_to(due_ns) > 2 * LOOK_S:
            self._over.wait(LOOK_S)
            self._connection.require_server(LOOK_S)  # takes at most the time that is left
        self._over.wait(max(_seconds_to(due_ns), 0.0))

    def _take_place(self) -> None:
        """Waits until fewer than `in_flight` requests are in flight."""
        if not self._free.acquire(timeout=SILENT_S):
            raise ServingError(
                f"the server at {self._client.address} answered none of the requests in flight for {SILENT_S:g} s"
            )

    def _send(self, first: int, due_ns: int) -> None:
        sent_ns = time.perf_counter_ns()

        def done(logits: NDArray[np.float32] | None, error: ServingError | None) -> None:
            answered_ns = time.perf_counter_ns()
            if error is not None:
                self._error = error
            else:
                self._answers.append((due_ns, sent_ns, answered_ns))
                self._late += self._limit_ns is not None and answered_ns - due_ns > self._limit_ns
            if self._error is not None or self._late > self._may_be_late:
                self._over.set()
            self._free.release()

        self._connection.send(first, self._client.batch, done, within_s=None)


def _seconds_to(due_ns: int) -> float:
    return (due_ns - time.perf_counter_ns()) / 1e9
