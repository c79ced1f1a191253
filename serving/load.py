"""Load on a served model: client processes that begin together, measured while all of them run."""

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
from serving.errors import ServingError
from serving.served_model import ServedModel
from serving.server import Server
from serving.shared_images import Region
from serving.statistics import Counters, counters


@dataclass(frozen=True)
class Load:
    """How a model is asked: by so many client processes, in which way, and whether by shared memory."""

    request_type: RequestType
    clients: int
    shared_memory: bool = True

    def in_flight(self, instances: int) -> int:
        """Requests of one client that are on their way at once.

        ASYNC: together enough that each instance has one to compute and one waiting, and of each client at least
        two; more would only wait in the server's queue.
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
    """What the clients measured, and what the server counted meanwhile."""

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
    """Requests of exactly the configuration's batch for `duration_s`, in which all clients run.

    `on_line` is told of each host call. Raises `ServingError` where a client or the server fails.
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
    """What `job` returns in each of `clients` processes, which share all cores with the server.

    Raises `ServingError`, with the end of the server's log where it is the server that ended.
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
        raise ServingError("\n".join(filter(None, (str(error), server.end())))) from None
