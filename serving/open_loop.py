"""A client of the open loop: requests go out when they are due, whether or not answers have come in.

Latency counts from the time at which a request was due. So a server that stalls is charged for all that had to wait,
and not only for the one request that met the stall (Gil Tene's "coordinated omission").
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
"""How often a client that waits for the next request to be due looks whether the server is still there."""

SILENT_S = 60.0
"""How long the server may answer nothing while requests are on their way.

Each of them may take as long as it has to: at a rate that is far too high, hundreds wait before it.
"""


@dataclass(frozen=True)
class Answered:
    """Requests of one client that were answered, all int64 ns by the clock that processes share.

    `due_ns`: when each was to be sent; `sent_ns`: when it was; `answered_ns`: when its answer was there. `broke_off`:
    so many were late that the rest, which would not have changed the verdict, was not sent.
    """

    due_ns: NDArray[np.int64]
    sent_ns: NDArray[np.int64]
    answered_ns: NDArray[np.int64]
    broke_off: bool


def poisson_arrivals(rate: float, requests: int, seed: int) -> NDArray[np.int64]:
    """When each of `requests` arrives, ns after the start `(requests,)`: gaps are exponential with mean 1 / rate."""
    gaps_s = np.random.default_rng(seed).exponential(1 / rate, requests)
    return np.asarray(np.cumsum(gaps_s) * 1e9, np.int64)


def dealt(arrivals_ns: NDArray[np.int64], clients: int, seed: int) -> tuple[NDArray[np.int64], ...]:
    """Each client's share of the arrivals, in order.

    Dealt by chance, a Poisson process gives Poisson processes that all last as long as it does.
    """
    owner = np.random.default_rng((seed, clients)).integers(clients, size=len(arrivals_ns))
    return tuple(arrivals_ns[owner == client] for client in range(clients))


def open_loop(
    client: Client, arrivals_ns: tuple[NDArray[np.int64], ...], limit_ns: int | None, link: Link
) -> Answered:
    """Sends each request of this client when it is due; at most `in_flight` are on their way.

    `arrivals_ns` are those of all clients. With `limit_ns`, breaks off once the requests of this client that took
    longer are more than a hundredth of all clients'. Raises `ServingError`, also of a server that ends while none is
    due.
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
        self._over = threading.Event()  # nothing more is to be sent
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
            self._take_place()  # until the last answer is there
        if self._error is not None:
            raise self._error
        due, sent, answered = np.array(self._answers, np.int64).reshape(-1, 3).T
        return Answered(due, sent, answered, broke_off=len(due) < len(due_ns))

    def _wait_until(self, due_ns: int) -> None:
        """Until a request is due, or nothing more is to be sent."""
        while not self._over.is_set() and _seconds_to(due_ns) > 2 * LOOK_S:
            self._over.wait(LOOK_S)
            self._connection.require_server(LOOK_S)  # and there is still time when it has answered
        self._over.wait(max(_seconds_to(due_ns), 0.0))

    def _take_place(self) -> None:
        """Waits until fewer than the most requests are on their way."""
        if not self._free.acquire(timeout=SILENT_S):
            raise ServingError(
                f"the server at {self._client.address} answered none of the requests on their way for {SILENT_S:g} s"
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
