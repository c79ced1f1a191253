"""The open loop with a real server: what it counts, and which delays a server cannot hide from it."""

from __future__ import annotations

import multiprocessing
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark_parsers.driver import DriverParser
from measurement.replica_link import Link, go
from serving import connection as connection_module
from serving import open_loop as open_loop_module
from serving.binary import find_triton
from serving.channel import connect
from serving.connection import Client, RequestType
from serving.errors import ServingError
from serving.loading import loaded
from serving.open_loop import Answered, open_loop
from serving.report import rate_results
from serving.request_rates import TOLERANCE, AtRate, at_rate
from serving.served_model import ROOT
from serving.server import running_server
from serving.shared_images import registered
from serving.statistics import counters
from tests.patience import HANG_S
from tests_serial.tritonserver.hanging import stop_in_place
from tests_serial.tritonserver.tiny import TINY

HOUR_NS = 3600 * 10**9


@pytest.fixture(scope="module")
def tiny(serve) -> Iterator[object]:
    with serve("tiny", TINY) as found:
        yield found


def under_rate(found, rate: float, duration_s: float, limit_ms: float | None = None) -> AtRate:
    memory = found.shared_memory
    return at_rate(
        found.server, found.served, found.region, rate, duration_s, shared_memory=memory, limit_ms=limit_ms
    )


def test_all_requests_are_answered_and_the_results_are_read_by_the_drivers_parser(tiny) -> None:
    found = under_rate(tiny, 100.0, 3.0)
    assert len(found.latency_ns) == 300
    assert (found.counted.failed, found.stopped_early) == (0, False)
    assert (found.latency_ns > 0).all()
    assert (found.lag_ns <= found.latency_ns).all()

    parser = DriverParser()
    parser.feed(rate_results(tiny.server, tiny.served, tiny.instances, True, found, None) + "\n")
    parsed = parser.parsed()
    assert parsed.problems == ()
    assert parsed.metrics["latency_p99"].value == pytest.approx(found.p99_ms, abs=0.001)
    assert parsed.metrics["throughput"].value == pytest.approx(found.throughput.mean, abs=0.01)
    assert parsed.settings["request_rate"] == "100 requests/s"
    assert "highest_rate" not in parsed.metrics


def test_a_short_measurement_has_enough_requests_for_p99(tiny) -> None:
    assert under_rate(tiny, 100.0, 0.1).p99_ms is not None


def test_a_server_that_stalls_is_charged_for_all_that_had_to_wait(tiny) -> None:
    """A closed loop would see one slow answer per client; here all requests due in the meantime are late."""
    stall_s, rate = 1.0, 40.0
    before = counters(tiny.server, "tiny").requests

    def stall() -> None:
        with connect(tiny.server.address) as control:
            while control.get_inference_statistics("tiny").model_stats[0].inference_count < 4 * (before + 10):
                time.sleep(0.01)
        stop_in_place(tiny.server.process)
        time.sleep(stall_s)
        tiny.server.process.send_signal(signal.SIGCONT)

    stalling = threading.Thread(target=stall)
    stalling.start()
    found = under_rate(tiny, rate, 5.0)
    stalling.join()
    late = int(np.count_nonzero(found.latency_ns > 0.3e9 * stall_s))
    assert late >= 0.3 * rate * stall_s
    assert found.latency_ns.max() >= 0.9e9 * stall_s


def test_a_rate_that_is_far_too_high_is_stopped_early(tiny) -> None:
    found = under_rate(tiny, 5000.0, 5.0, limit_ms=20.0)
    assert found.stopped_early
    assert not found.under(20.0)
    assert len(found.latency_ns) < 25_000
    assert found.counted.failed == 0


def test_a_limit_that_no_rate_can_keep_ends_the_search_at_the_lowest_rate(repository: Path) -> None:
    done = searched(repository, rates="4,8", limit_ms="0.001")
    assert done.returncode == 1
    assert "no rate down to 4 requests/s has its p99 under 0.001 ms: give a higher" in done.stdout
    assert done.stdout.count("request rate ") == 1


def test_the_highest_rate_under_a_limit_is_found_and_read_by_the_drivers_parser(repository: Path) -> None:
    """As few requests per rate as p99 needs, which is doubled until requests overlap and wait longer than the limit."""
    done = searched(repository, rates="50", limit_ms="1000")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = dict(
        re.findall(r"^request rate (\d+\.\d\d)/s: .*; (under|over) 1000 ms", done.stdout, re.MULTILINE)
    )
    (highest,) = re.findall(
        r"^highest rate with p99 under 1000 ms: (\d+\.\d\d) requests/s$", done.stdout, re.MULTILINE
    )
    assert lines[highest] == "under"
    assert [
        rate for rate, verdict in lines.items() if verdict == "under" and float(rate) > float(highest)
    ] == []
    too_high = [float(rate) for rate, verdict in lines.items() if verdict == "over"]
    assert min(too_high) <= float(highest) * TOLERANCE + 0.02  # both are rounded in print
    assert "warning: the search ended" not in done.stdout

    parser = DriverParser()
    parser.feed(done.stdout)
    parsed = parser.parsed()
    assert parsed.problems == ()
    batch = int(parsed.settings["micro_batch_size"])
    assert parsed.metrics["highest_rate"].value == pytest.approx(float(highest) * batch, abs=0.01 * batch)
    assert parsed.metrics["latency_p99"].value <= 1000
    assert parsed.metrics["failed_requests"].value == 0
    assert parsed.settings["latency_limit"] == "p99 under 1000 ms"
    assert parsed.settings["request_rate"] == "searched"


def searched(repository: Path, rates: str, limit_ms: str) -> subprocess.CompletedProcess[str]:
    """A whole run of the wrapper."""
    words = ["-s", "--configurations", "mobilenet-v3-small", "--model-repository", str(repository)]
    words += ["--request-rate", rates, "--latency-limit", limit_ms, "--duration", "1"]
    words += ["-p", "no:cacheprovider"]
    command = [sys.executable, "run_benchmark_with_triton_server.py", *words, "tests_serial/tritonserver/"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=4 * HANG_S)


class TestOneClient:
    """The first client's part, with given arrivals."""

    def test_a_rate_is_stopped_early_though_the_next_request_is_not_yet_due(self, tiny) -> None:
        found = of_first_client(tiny, [[0, HOUR_NS]], limit_ns=1)
        assert (len(found.due_ns), found.stopped_early) == (1, True)

    def test_a_hundredth_of_the_requests_of_all_clients_may_be_late(self, tiny) -> None:
        own, others = [0] * 10, [0] * 990
        found = of_first_client(tiny, [own, others], limit_ns=1)
        assert (len(found.due_ns), found.stopped_early) == (10, False)
        found = of_first_client(tiny, [[*own, HOUR_NS], others[:-2]], limit_ns=1)
        assert (len(found.due_ns), found.stopped_early) == (10, True)

    def test_a_server_that_ends_while_nothing_is_due_is_reported(
        self, tiny, repository: Path, tmp_path: Path
    ) -> None:
        with (
            running_server(find_triton(), repository, tmp_path / "server.log") as server,
            loaded(server, "tiny"),
            registered(server, tiny.region),
            pytest.raises(ServingError, match="the server is gone"),
        ):
            of_first_client(replace(tiny, server=server), [[HOUR_NS]], before_start=server.process.kill)

    def test_a_request_may_wait_longer_for_its_answer_than_in_a_closed_loop(
        self, tiny, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At a rate that is far too high, hundreds are queued before it."""
        wakes = threading.Timer(1.0, tiny.server.process.send_signal, [signal.SIGCONT])

        def stall() -> None:
            monkeypatch.setattr(connection_module, "REQUEST_S", 0.2)
            stop_in_place(tiny.server.process)
            wakes.start()

        assert len(of_first_client(tiny, [[0]], before_start=stall).due_ns) == 1

    def test_a_server_that_answers_nothing_at_all_is_reported(
        self, tiny, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(open_loop_module, "SILENT_S", 0.5)
        process = tiny.server.process
        try:
            with pytest.raises(ServingError, match=r"answered none of the requests in flight for 0\.5 s"):
                of_first_client(tiny, [[0]], before_start=lambda: stop_in_place(process))
        finally:
            process.send_signal(signal.SIGCONT)


def of_first_client(
    found,
    arrivals_ns: list[list[int]],
    limit_ns: int | None = None,
    before_start: Callable[[], None] = lambda: None,
) -> Answered:
    """The results of the first client's arrivals, one request at a time, in a thread of this process."""
    client = Client(found.server.address, "tiny", found.region, 4, RequestType.ASYNC, 1, found.shared_memory)
    arrivals = tuple(np.array(own, np.int64) for own in arrivals_ns)
    ours, theirs = multiprocessing.Pipe()
    answered: Future[Answered] = Future()

    def run() -> None:
        try:
            answered.set_result(open_loop(client, arrivals, limit_ns, Link(0, len(arrivals), theirs)))
        except BaseException as error:
            answered.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    ours.recv()  # it is ready
    before_start()
    ours.send(go)
    return answered.result(timeout=HANG_S)
