"""The figures of a closed loop, against a server whose answers and whose clock are made up: no time passes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import SimpleNamespace, TracebackType

import numpy as np
import pytest

from measurement.loop import Measurement, TimedCall
from measurement.settings import DROPPED_HOST_CALLS
from serving import closed_loop as closed_loop_module
from serving.closed_loop import WARMUP_REQUESTS, closed_loop
from serving.connection import Client, Done, RequestType
from serving.errors import ServingError
from serving.shared_images import Region

BATCH, IMAGES, CLASSES = 4, 12, 5
LONG_NS = 1_000_000
BOTH = pytest.mark.parametrize("request_type", list(RequestType), ids=str)


@dataclass
class SimulatedServer:
    """Answers the n-th request after `takes_ns[n]`, the last of them holding for all further ones.

    Its time passes only while a client waits for an answer, and where a test advances it.
    """

    takes_ns: Sequence[int]
    not_finite: Callable[[int], int] = lambda number: 0
    fails: Callable[[int], bool] = lambda number: False
    now_ns: int = 0
    asked: list[int] = field(default_factory=list)
    in_flight: list[tuple[int, int, Done]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    waited_with: list[int] = field(default_factory=list)

    def clock_ns(self) -> int:
        return self.now_ns

    def ask(self, first: int, count: int) -> np.ndarray:
        number = self._accepted(first, count)
        self.now_ns += self._takes_ns(number)
        return self._logits(number)

    def send(self, first: int, count: int, done: Done) -> None:
        number = self._accepted(first, count)
        self.in_flight.append((self.now_ns + self._takes_ns(number), number, done))

    def pass_time(self) -> None:
        """Until the next answer, which need not be that to the oldest request."""
        assert self.in_flight, "the client waits for an answer, and has asked nothing"
        self.waited_with.append(len(self.in_flight))
        next_one = min(self.in_flight, key=lambda request: request[:2])
        self.in_flight.remove(next_one)
        due_ns, number, done = next_one
        self.now_ns = max(self.now_ns, due_ns)
        self.answered.append(number)
        if self.fails(number):
            done(None, ServingError(f"request {number} failed"))
        else:
            done(self._logits(number), None)

    def __enter__(self) -> SimulatedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert not self.in_flight, "the connection is closed while requests are in flight"

    def _accepted(self, first: int, count: int) -> int:
        assert count == BATCH
        self.asked.append(first)
        return len(self.asked) - 1

    def _takes_ns(self, number: int) -> int:
        return self.takes_ns[min(number, len(self.takes_ns) - 1)]

    def _logits(self, number: int) -> np.ndarray:
        logits = np.zeros((BATCH, CLASSES), np.float32)
        logits.ravel()[: self.not_finite(number)] = np.nan
        return logits


class OwnLink:
    """Stops the client after `calls` timed host calls; the parent's ear takes `reporting_ns`."""

    def __init__(self, server: SimulatedServer, calls: int, reporting_ns: int) -> None:
        self._server, self._most, self._reporting_ns = server, calls, reporting_ns
        self.calls: list[TimedCall] = []
        self.told_ns: list[int] = []
        self.asked_before_start: int | None = None

    def begin(self, facts: object) -> None:
        self.asked_before_start = len(self._server.asked)

    def on_call(self, call: TimedCall) -> None:
        self.calls.append(call)
        self.told_ns.append(self._server.now_ns)
        self._server.now_ns += self._reporting_ns

    def ended(self) -> bool:
        return len(self.calls) >= self._most


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """`run(server, request_type, in_flight, calls)`: what a client measures, and its link."""

    def measured(
        server: SimulatedServer, request_type: RequestType, in_flight: int, calls: int, reporting_ns: int = 0
    ) -> tuple[Measurement, OwnLink]:
        class Answers(SimpleQueue):
            """To wait for an answer is what lets time pass."""

            def get(self):
                if self.empty():
                    server.pass_time()
                return super().get_nowait()

        clock = SimpleNamespace(perf_counter_ns=server.clock_ns)
        monkeypatch.setattr(closed_loop_module, "time", clock)
        monkeypatch.setattr(closed_loop_module, "SimpleQueue", Answers)
        monkeypatch.setattr(closed_loop_module, "Connection", lambda client: server)
        region = Region("nowhere", (IMAGES, 3, 2, 2), "uint8")
        client = Client("nobody", "a", region, BATCH, request_type, in_flight, shared_memory=True)
        link = OwnLink(server, calls, reporting_ns)
        return closed_loop(client, link), link

    return measured


def in_flight_of(request_type: RequestType) -> int:
    return 1 if request_type is RequestType.SYNC else 3


@BOTH
def test_the_first_two_host_calls_are_neither_measured_nor_reported(run, request_type: RequestType) -> None:
    in_flight = in_flight_of(request_type)
    slow = WARMUP_REQUESTS + DROPPED_HOST_CALLS * in_flight
    server = SimulatedServer([LONG_NS] * slow + [7])
    found, link = run(server, request_type, in_flight, calls=4)
    assert DROPPED_HOST_CALLS == found.warmup_host_calls == 2
    assert found.host_call_ns.tolist() == [7] * 4
    assert found.round_trip_ns.tolist() == [7] * (4 * in_flight)
    assert [call.index for call in link.calls] == [1, 2, 3, 4]
    assert [call.host_call_ns for call in link.calls] == found.host_call_ns.tolist()
    assert [call.start_ns for call in link.calls] == found.start_ns.tolist()
    assert np.array_equal(np.concatenate([call.round_trip_ns for call in link.calls]), found.round_trip_ns)


@BOTH
def test_each_client_has_had_an_answer_before_all_begin_together(run, request_type: RequestType) -> None:
    _, link = run(SimulatedServer([7]), request_type, in_flight_of(request_type), calls=1)
    assert link.asked_before_start == WARMUP_REQUESTS == 1


@pytest.mark.parametrize("in_flight", [2, 5])
def test_as_many_requests_are_in_flight_as_the_client_may_have_and_no_more(run, in_flight: int) -> None:
    server = SimulatedServer([50, 10, 90, 30, 20, 70, 40])
    found, _ = run(server, RequestType.ASYNC, in_flight, calls=6)
    during, at_the_end = server.waited_with[: -in_flight + 1], server.waited_with[-in_flight + 1 :]
    assert set(during) == {in_flight}
    assert at_the_end == list(range(in_flight - 1, 0, -1))  # none is sent any more, and all are waited for
    assert found.samples_per_host_call == in_flight * BATCH
    assert found.round_trip_ns.shape == (6 * in_flight,)


def test_a_synchronous_client_has_one_request_on_its_way(run) -> None:
    server = SimulatedServer([7])
    found, _ = run(server, RequestType.SYNC, 1, calls=6)
    assert len(server.asked) == WARMUP_REQUESTS + DROPPED_HOST_CALLS + 6
    assert server.waited_with == []  # nothing is sent without its answer being asked for
    assert found.samples_per_host_call == BATCH


def test_a_latency_is_a_requests_own_though_answers_come_in_another_order(run) -> None:
    """One request in ten takes long, and those that are answered meanwhile do not."""
    takes_ns = [1000 if number % 10 == 9 else 100 for number in range(200)]
    server = SimulatedServer(takes_ns)
    found, _ = run(server, RequestType.ASYNC, 2, calls=40)
    timed = server.answered[2 * DROPPED_HOST_CALLS :][: 2 * 40]
    assert timed != sorted(timed)
    assert found.round_trip_ns.tolist() == [takes_ns[number] for number in timed]


def test_a_synchronous_latency_is_that_of_one_request(run) -> None:
    before = [LONG_NS] * (WARMUP_REQUESTS + DROPPED_HOST_CALLS)
    found, _ = run(SimulatedServer([*before, 30, 10, 20]), RequestType.SYNC, 1, calls=3)
    assert found.round_trip_ns.tolist() == [30, 10, 20]


@BOTH
def test_host_calls_cover_all_the_time_with_what_is_between_two_of_them(
    run, request_type: RequestType
) -> None:
    """Reporting to the parent takes time without requests: without it the throughput would be too high."""
    server = SimulatedServer([50, 10, 90, 30, 20, 70, 40])
    found, link = run(server, request_type, in_flight_of(request_type), calls=6, reporting_ns=11)
    ends_ns = found.start_ns + found.host_call_ns
    assert found.start_ns[1:].tolist() == ends_ns[:-1].tolist()
    assert ends_ns.tolist() == link.told_ns
    if request_type is RequestType.SYNC:
        # The first one follows a host call that was not reported.
        assert (found.host_call_ns - found.round_trip_ns).tolist() == [0, *[11] * 5]


@BOTH
def test_outputs_that_are_not_finite_are_counted_but_for_those_of_dropped_host_calls(
    run, request_type: RequestType
) -> None:
    in_flight = in_flight_of(request_type)
    dropped = WARMUP_REQUESTS + DROPPED_HOST_CALLS * in_flight
    bad = {0: 1, dropped - 1: 2, dropped: 3, dropped + 1: CLASSES * BATCH}
    server = SimulatedServer([7], not_finite=lambda number: bad.get(number, 0))
    found, _ = run(server, request_type, in_flight, calls=4)
    assert found.not_finite == 3 + CLASSES * BATCH


@BOTH
def test_requests_cycle_over_all_images(run, request_type: RequestType) -> None:
    server = SimulatedServer([7])
    run(server, request_type, in_flight_of(request_type), calls=4)
    after_warmup = server.asked[WARMUP_REQUESTS:]
    assert after_warmup == [(number * BATCH) % IMAGES for number in range(len(after_warmup))]


def test_a_request_that_fails_ends_the_client_once_the_others_are_answered(run) -> None:
    server = SimulatedServer([7], fails=lambda number: number == 9)
    with pytest.raises(ServingError, match="request 9 failed"):
        run(server, RequestType.ASYNC, 3, calls=100)
    assert not server.in_flight
