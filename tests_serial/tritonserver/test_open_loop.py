"""The open loop against a real server: what it counts, and what it does not let a server hide."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from benchmark_parsers.driver import DriverParser
from serving.report import rate_results
from serving.request_rates import at_rate
from serving.statistics import counters
from tests_serial.tritonserver.tiny import TINY


@pytest.fixture(scope="module")
def tiny(serve) -> Iterator[object]:
    with serve("tiny", TINY) as found:
        yield found


def test_all_requests_are_answered_and_the_results_are_read_by_the_drivers_parser(tiny) -> None:
    found = at_rate(tiny.server, tiny.served, tiny.region, rate=40.0, duration_s=3.0)
    assert len(found.latency_ns) == 120
    assert (found.counted.failed, found.broke_off) == (0, False)
    assert (found.latency_ns > 0).all()
    assert (found.lag_ns <= found.latency_ns).all()

    parser = DriverParser()
    parser.feed(rate_results(tiny.server, tiny.served, tiny.said, True, found, None) + "\n")
    parsed = parser.parsed()
    assert parsed.problems == ()
    assert parsed.metrics["latency_p99"].value == pytest.approx(found.p99_ms, abs=0.001)
    assert parsed.metrics["throughput"].value == pytest.approx(found.throughput.mean, abs=0.01)
    assert parsed.settings["request_rate"] == "40 requests/s"
    assert "highest_rate" not in parsed.metrics


def test_a_short_measurement_has_enough_requests_for_p99(tiny) -> None:
    assert at_rate(tiny.server, tiny.served, tiny.region, rate=100.0, duration_s=0.1).p99_ms is not None


def test_a_server_that_stalls_is_charged_for_all_that_had_to_wait(tiny) -> None:
    """A closed loop would see one slow answer for each client; here all that were due meanwhile are late."""
    stall_s, rate = 1.0, 40.0
    before = counters(tiny.server, "tiny").requests

    def stall() -> None:
        from tritonclient.grpc import InferenceServerClient

        with InferenceServerClient(tiny.server.address) as control:
            while control.get_inference_statistics("tiny").model_stats[0].inference_count < 4 * (before + 10):
                time.sleep(0.01)
        tiny.server.process.send_signal(signal.SIGSTOP)
        time.sleep(stall_s)
        tiny.server.process.send_signal(signal.SIGCONT)

    stalling = threading.Thread(target=stall)
    stalling.start()
    found = at_rate(tiny.server, tiny.served, tiny.region, rate=rate, duration_s=5.0)
    stalling.join()
    late = int(np.count_nonzero(found.latency_ns > 0.3e9 * stall_s))
    assert late >= 0.3 * rate * stall_s
    assert found.latency_ns.max() >= 0.9e9 * stall_s


def test_a_rate_that_is_far_too_high_is_broken_off(tiny) -> None:
    found = at_rate(tiny.server, tiny.served, tiny.region, rate=5000.0, duration_s=5.0, limit_ms=20.0)
    assert found.broke_off
    assert not found.under(20.0)
    assert len(found.latency_ns) < 25_000
    assert found.counted.failed == 0
