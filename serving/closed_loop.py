"""A client of the closed loop: sends the next request when an answer has arrived."""

from __future__ import annotations

import time
from collections.abc import Generator
from itertools import cycle
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from measurement.loop import Measurement, TimedCall
from measurement.replica_link import Link
from measurement.settings import DROPPED_HOST_CALLS
from serving.connection import Client, Connection, RequestType
from serving.errors import ServingError

WARMUP_REQUESTS = 1
"""Requests of each client before all begin together: they open connections, and wake up instances."""

Answer = tuple[int, int]
"""Round trip in ns, and the number of outputs that were NaN or infinite."""


def closed_loop(client: Client, link: Link) -> Measurement:
    """Sends requests until the link has ended. A host call consists of one answer per request in flight.

    Its time is measured from the end of the previous one to its last answer, so that host calls cover all the time.
    """
    with Connection(client) as connection:
        for _ in range(WARMUP_REQUESTS):
            connection.ask(0, client.batch)
        link.begin(None)
        answers = (_one_by_one if client.request_type is RequestType.SYNC else _several)(connection, client)
        try:
            return _measured(client, answers, link)
        finally:
            answers.close()


def _measured(client: Client, answers: Generator[Answer], link: Link) -> Measurement:
    start_ns: list[int] = []
    host_call_ns: list[int] = []
    round_trips: list[NDArray[np.int64]] = []
    not_finite, dropped, now_ns = 0, 0, time.perf_counter_ns()
    while not link.ended():
        began_ns = now_ns
        calls = [next(answers) for _ in range(client.in_flight)]
        now_ns = time.perf_counter_ns()
        if dropped < DROPPED_HOST_CALLS:
            dropped += 1
            continue
        start_ns.append(began_ns)
        host_call_ns.append(now_ns - began_ns)
        round_trips.append(np.array([trip for trip, _ in calls], np.int64))
        not_finite += sum(bad for _, bad in calls)
        link.on_call(TimedCall(len(start_ns), began_ns, host_call_ns[-1], round_trips[-1]))
    return Measurement(
        samples_per_host_call=client.in_flight * client.batch,
        start_ns=np.array(start_ns, np.int64),
        host_call_ns=np.array(host_call_ns, np.int64),
        decode_wait_ns=np.zeros(len(start_ns), np.int64),
        transfer_ns=None,
        round_trip_ns=np.concatenate(round_trips),
        round_trip_is_range=False,
        warmup_host_calls=DROPPED_HOST_CALLS,
        correct=0,
        labelled=0,
        not_finite=not_finite,
    )


def _one_by_one(connection: Connection, client: Client) -> Generator[Answer]:
    for first in cycle(client.region.firsts(client.batch)):
        began_ns = time.perf_counter_ns()
        logits = connection.ask(first, client.batch)
        yield time.perf_counter_ns() - began_ns, not_finite_in(logits)


def _several(connection: Connection, client: Client) -> Generator[Answer]:
    """Keeps `in_flight` requests in flight, and waits for them at the end."""
    answers: SimpleQueue[tuple[int, NDArray[np.float32] | None, ServingError | None]] = SimpleQueue()
    firsts = cycle(client.region.firsts(client.batch))
    in_progress = 0

    def send() -> None:
        began_ns = time.perf_counter_ns()
        connection.send(
            next(firsts),
            client.batch,
            lambda logits, error: answers.put((time.perf_counter_ns() - began_ns, logits, error)),
        )

    try:
        while True:
            while in_progress < client.in_flight:
                send()
                in_progress += 1
            round_trip_ns, logits, error = answers.get()
            in_progress -= 1
            if error is not None or logits is None:
                raise error or ServingError("an answer without logits")
            yield round_trip_ns, not_finite_in(logits)
    finally:
        for _ in range(in_progress):
            answers.get()


def not_finite_in(logits: NDArray[np.float32]) -> int:
    """The number of these outputs that are NaN or infinite."""
    return logits.size - int(np.count_nonzero(np.isfinite(logits)))
