"""Served models compared with the driver in this process, on the same cores, and the memory of a long load."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.engines import Subject, driver_throughput, measured, subject
from bench.first_second import FIRST_SECOND, first_and_last
from bench.rounds import ROUNDS, alternate, growth, ratio, spread
from bench.targets import Row, Target
from datasets.images import find_images
from measurement.statistics import throughput
from serving.binary import find_triton
from serving.connection import RequestType
from serving.load import Load, Loaded, under_load
from serving.loading import loaded
from serving.repository import write_model
from serving.served_model import ROOT, ServedModel, served_model
from serving.server import Server, running_server
from serving.shared_images import registered, shared_images

ROUND_S = 6.0
FEW_ROUNDS = 3
"""For rows without a bound: with the clients that each side starts anew, a round takes a minute."""

LONG_S = 60.0
SAMPLE_S = 0.25


def measure_all(round_s: float = ROUND_S, long_s: float = LONG_S, rounds: int = ROUNDS) -> Iterator[Row]:
    """The rows of serving."""
    with tempfile.TemporaryDirectory() as folder:
        repository, log = Path(folder, "models"), Path(folder, "server.log")
        repository.mkdir()
        with running_server(find_triton(), repository, log) as server:
            yield against_the_driver(server, repository, round_s, rounds)
            yield with_shared_memory(server, repository, round_s, min(rounds, FEW_ROUNDS))
            yield first_second(server, repository, min(rounds, FEW_ROUNDS))
            yield added_latency(server, repository, round_s, rounds)
            yield from memory_over_time(server, repository, long_s)


def against_the_driver(server: Server, repository: Path, round_s: float, rounds: int) -> Row:
    """Throughput of 4 asynchronous clients / of the driver, both with the configuration's batch in 8 bits."""
    made = served_model("resnet50", {"weights": "random"}, "resnet50")
    driver = _in_process(made, device_iterations=8, duration=round_s)
    with at_server(server, repository, made) as under:
        pairs = alternate(
            lambda: rate_of(under(Load(RequestType.ASYNC, 4), round_s)), driver_throughput(driver), rounds
        )
    driver.executable.close()
    what = (
        f"Triton, 4 asynchronous clients, {made.instances} instances / driver: resnet50, "
        f"batch {made.settings.micro_batch_size}, {driver.executable.effective.dtype}"
    )
    return ratio(what, pairs, Target(at_least=0.93), "samples/sec")


def with_shared_memory(server: Server, repository: Path, round_s: float, rounds: int) -> Row:
    """Throughput of 4 asynchronous clients with pixels in shared memory / with pixels in the requests."""
    made = served_model("resnet50", {"weights": "random"}, "resnet50")
    with at_server(server, repository, made) as under:

        def rate(shared_memory: bool) -> float:
            return rate_of(under(Load(RequestType.ASYNC, 4, shared_memory), round_s))

        pairs = alternate(partial(rate, True), partial(rate, False), rounds)
    what = (
        "Triton, pixels in system shared memory / inside the requests, 4 asynchronous clients: resnet50, "
        f"batch {made.settings.micro_batch_size}"
    )
    return ratio(what, pairs, Target(note="> 1 where it helps"), "samples/sec")


def first_second(server: Server, repository: Path, rounds: int) -> Row:
    """Throughput of 4 asynchronous clients in their first second / in their last."""
    made = served_model("mobilenet-v3-small", {"weights": "random"}, "mobilenet-v3-small")
    with at_server(server, repository, made) as under:
        pairs = [
            first_and_last(
                [own / 1e9 for own in under(Load(RequestType.ASYNC, 4), ROUND_S).measurement.by_replica]
            )
            for _ in range(rounds)
        ]
    what = f"{FIRST_SECOND}: Triton, 4 asynchronous clients, mobilenet-v3-small"
    return ratio(what, pairs, Target(at_least=0.97), "host calls/sec")


def added_latency(server: Server, repository: Path, round_s: float, rounds: int) -> Row:
    """Median round trip of one synchronous client minus that of the driver.

    Both have all cores for their one request: the model has one instance, as a second one would only idle.
    """
    flags = {"weights": "random", "micro_batch_size": 1}
    made = served_model("mobilenet-v3-small-1", flags, "mobilenet-v3-small", instances=1)
    driver = _in_process(made, device_iterations=1, duration=round_s)

    def in_process_ms() -> float:
        return float(np.median(measured(driver).round_trip_ns)) / 1e6

    with at_server(server, repository, made) as under:

        def served_ms() -> float:
            found = under(Load(RequestType.SYNC, 1), round_s)
            return float(np.median(found.measurement.round_trip_ns)) / 1e6

        pairs = alternate(served_ms, in_process_ms, rounds)
    driver.executable.close()
    what = (
        "milliseconds that Triton adds to a round trip: mobilenet-v3-small, batch 1, 1 synchronous client, "
        "1 instance"
    )
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    added = [mine - other for mine, other in pairs]
    return spread(what, added, Target(at_most=2.5), f"{ours:.2f} vs. {theirs:.2f} ms")


def _in_process(made: ServedModel, **flags: Any) -> Subject:
    """The configuration of the served model, for the driver in this process."""
    return subject(
        model=made.settings.model,
        micro_batch_size=made.settings.micro_batch_size,
        eight_bit_io=True,
        normalization_location="ipu",
        backend=made.settings.backend,
        **flags,
    )


def memory_over_time(server: Server, repository: Path, long_s: float) -> Iterator[Row]:
    """Resident memory of the server and of 8 clients: the last tenth of the time / the second."""
    made = served_model("mobilenet-v3-small", {"weights": "random"}, "mobilenet-v3-small")
    with at_server(server, repository, made) as under:
        memory = Memory(server)
        with memory.watched():
            found = under(Load(RequestType.ASYNC, 8), long_s, memory.note_call)
    for whose, mib in (("server", memory.server_mib), ("8 clients", memory.clients_mib)):
        requests = f"({found.counted.requests} requests, {found.counted.failed} failed)"
        what = f"of the {whose} over {long_s:.0f} s {requests}"
        yield growth(what, mib, Target(at_most=1.03, note="none failed"))


@contextmanager
def at_server(server: Server, repository: Path, made: ServedModel) -> Iterator[Callable[..., Loaded]]:
    """Exports, loads and unloads a model; yields `under_load` of it, which takes the load and its duration."""
    write_model(repository, made)
    with ExitStack() as stack:
        region = stack.enter_context(shared_images(made, find_images(ROOT / "data" / "images")))
        stack.enter_context(loaded(server, made.name))
        stack.enter_context(registered(server, region))
        yield partial(under_load, server, made, region)


def rate_of(found: Loaded) -> float:
    """Samples per second of all clients."""
    return throughput(found.measurement.samples_per_host_call, *found.measurement.by_replica).mean


@dataclass
class Memory:
    """Samples of resident memory in MiB, from the first host call on until the clients end."""

    server: Server
    server_mib: list[float] = field(default_factory=list)
    clients_mib: list[float] = field(default_factory=list)

    _at_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._measuring, self._ended, self._last_call_s = threading.Event(), threading.Event(), 0.0

    def note_call(self, line: str) -> None:
        """Called after each host call."""
        self._last_call_s = time.monotonic()
        self._measuring.set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._measuring.set()
            thread.join()
        kept = sum(at_s <= self._last_call_s for at_s in self._at_s)
        del (
            self.server_mib[kept:],
            self.clients_mib[kept:],
        )  # taken while the clients ended one after the other

    def _watch(self) -> None:
        self._measuring.wait()
        root = psutil.Process(self.server.process.pid)
        servers: list[Any] = [root, *root.children(recursive=True)]
        clients = [psutil.Process(child.pid) for child in multiprocessing.active_children()]
        while not self._ended.wait(SAMPLE_S):
            try:
                mine, theirs = _resident_mib(servers), _resident_mib(clients)
            except psutil.NoSuchProcess:  # a client has finished
                return
            self._at_s.append(time.monotonic())
            self.server_mib.append(mine)
            self.clients_mib.append(theirs)


def _resident_mib(processes: list[Any]) -> float:
    return float(sum(process.memory_info().rss for process in processes)) / 2**20
