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

    With `limit_ns`, breaks off once more than a hundredth of all requests took longer.
    """
    own_ns = arrivals_ns[link.rank]
    with Connection(client) as connection:
        connection.ask(0, client.batch)
        link.begin(None)
        return _Sender(connection, client, limit_ns).run(time.perf_counter_ns() + own_ns)


class _Sender:
    def __init__(self, connection: Connection, client: Client, limit_ns: int | None) -> None:
        self._connection, self._client, self._limit_ns = connection, client, limit_ns
        self._free = threading.Semaphore(client.in_flight)
        self._answers: list[tuple[int, int, int]] = []
        self._late = 0
        self._error: ServingError | None = None

    def run(self, due_ns: NDArray[np.int64]) -> Answered:
        firsts = cycle(self._client.region.firsts(self._client.batch))
        may_be_late = BEYOND_P99 * len(due_ns)
        broke_off = False
        for due in map(int, due_ns):
            if (wait_ns := due - time.perf_counter_ns()) > 0:
                time.sleep(wait_ns / 1e9)
            self._free.acquire()
            broke_off = self._late > may_be_late
            if broke_off or self._error is not None:
                self._free.release()
                break
            self._send(next(firsts), due)
        for _ in range(self._client.in_flight):
            self._free.acquire()  # until the last answer is there
        if self._error is not None:
            raise self._error
        due, sent, answered = np.array(self._answers, np.int64).reshape(-1, 3).T
        return Answered(due, sent, answered, broke_off)

    def _send(self, first: int, due_ns: int) -> None:
        sent_ns = time.perf_counter_ns()

        def done(logits: NDArray[np.float32] | None, error: ServingError | None) -> None:
            answered_ns = time.perf_counter_ns()
            if error is not None:
                self._error = error
            else:
                self._answers.append((due_ns, sent_ns, answered_ns))
                if self._limit_ns is not None and answered_ns - due_ns > self._limit_ns:
                    self._late += 1
            self._free.release()

        self._connection.send(first, self._client.batch, done)
