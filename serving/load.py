"""Puts load on a served model: client processes that begin together, measured while all of them run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from measurement.errors import ReplicaError
from measurement.loop import Measurement, TimedCall
from measurement.machine import cores_in_use
from measurement.replica_link import Link
from measurement.replicas import run_replicas
from measurement.report import call_line
from measurement.window import within_window
from serving.closed_loop import closed_loop
from serving.connection import Client, RequestType
from serving.errors import NoAnswer, ServingError
from serving.served_model import ServedModel
from serving.server import Server
from serving.shared_images import Region
from serving.statistics import Counters, counters


@dataclass(frozen=True)
class Load:
    """The load on a model: the kind of requests, the number of client processes, and the use of shared memory."""

    request_type: RequestType
    clients: int
    shared_memory: bool = True

    def in_flight(self, instances: int) -> int:
        """The number of requests that each client keeps in flight.

        ASYNC: together enough for each instance to compute one while another waits, and at least two per client; more
        would only wait in the server's queue.
        """
        return 1 if self.request_type is RequestType.SYNC else max(2, -(-2 * instances // self.clients))

    def client(self, server: Server, served: ServedModel, region: Region, batch: int) -> Client:
        return Client(
            server.address,
            served.name,
            region,
            batch,
            self.request_type,
            self.in_flight(served.instances),
            self.shared_memory,
        )


@dataclass(frozen=True)
class Loaded:
    """The measurement of the clients, and the server's counters for the same time."""

    measurement: Measurement
    counted: Counters


def under_load(
    server: Server,
    served: ServedModel,
    region: Region,
    load: Load,
    duration_s: float,
    on_line: Callable[[str], None] = lambda line: None,
) -> Loaded:
    """Sends requests of exactly the configuration's batch for `duration_s`, in which all clients run.

    Calls `on_line` with a line for each host call. Raises `ServingError` if a client or the server fails.
    """
    before: list[Counters] = []
    batch = served.settings.micro_batch_size
    client = load.client(server, served, region, batch)

    def ready(_: Sequence[Any]) -> Callable[[TimedCall, str], None]:
        before.append(counters(server, served.name))
        return lambda call, maker: on_line(call_line(call, batch * client.in_flight, maker))

    found: list[Measurement] = in_clients(
        server, served, partial(closed_loop, client), load.clients, duration_s, ready
    )
    return Loaded(within_window(found, None), counters(server, served.name) - before[0])


def in_clients(
    server: Server,
    served: ServedModel,
    job: Callable[[Link], Any],
    clients: int,
    duration_s: float | None = None,
    on_ready: Callable[[Sequence[Any]], Callable[[TimedCall, str], None]] = lambda facts: (
        lambda call, maker: None
    ),
) -> list[Any]:
    """The results of `job` in each of `clients` processes, which share all cores with the server.

    Raises `ServingError`, with the end of the server's log if the server ended.
    """
    try:
        return run_replicas(
            job,
            [cores_in_use()] * clients,
            replace(served.settings, iterations=None, duration_s=duration_s),
            on_ready,
            noun="client",
            if_memory_ran_out="give fewer --instances, or a smaller model",
        )
    except ReplicaError as error:
        try:
            server.ask(server.control.is_server_live)
        except NoAnswer as gone:
            raise ServingError(f"{error}\n{gone}") from None
        raise ServingError(str(error)) from None
