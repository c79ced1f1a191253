"""What is timed, what is dropped, and how the lines report it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.loop import Measurement, TimedCall, measure
from measurement.report import Facts, call_line, summary
from measurement.settings import DROPPED_HOST_CALLS, Settings, resolve
from measurement.statistics import latency, throughput

THROUGHPUT = r"throughput: *(.*?) samples\/sec"  # as specs in the field have them
LATENCY = r"latency avg: *(.*?) ms"


@dataclass
class Clock:
    now_ns: int = 0

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class Batch:
    micro_batches: Sequence[np.ndarray]
    labels: np.ndarray | None = None
    decode_wait_ns: int = 0


@dataclass
class Call:
    outputs: np.ndarray
    round_trip_ns: np.ndarray
    round_trip_is_range: bool = False
    transfer_ns: np.ndarray | None = None


class Source:
    """Takes `takes_ns` for each host call, by the clock."""

    def __init__(
        self, clock: Clock, takes_ns: int = 0, labels: np.ndarray | None = None, works_ahead: bool = False
    ) -> None:
        self.clock, self.takes_ns, self.labels, self.calls = clock, takes_ns, labels, 0
        self.works_ahead = works_ahead

    def next(self) -> Batch:
        self.calls += 1
        self.clock.now_ns += self.takes_ns
        return Batch([np.zeros(1)], self.labels, self.takes_ns)


class Engine:
    """Takes `takes_ns(n)` for its n-th host call, and answers with `outputs` every time."""

    def __init__(self, clock: Clock, takes_ns: Callable[[int], int], outputs: np.ndarray) -> None:
        self.clock, self.takes_ns, self.calls = clock, takes_ns, 0
        self.call = Call(outputs, np.zeros(1, np.int64))

    def run(self, batches: Sequence[Any]) -> Call:
        took_ns = self.takes_ns(self.calls)
        self.calls += 1
        self.clock.now_ns += took_ns
        self.call.round_trip_ns[:] = took_ns
        return self.call


def settings(**flags: object) -> Settings:
    return resolve({"micro_batch_size": 2, "data": "generated", **flags}, None, "cpu", "torch")[0]


def measured(
    takes_ns: Callable[[int], int] = lambda n: 10,
    outputs: np.ndarray | None = None,
    decode_ns: int = 0,
    labels: np.ndarray | None = None,
    **flags: object,
) -> Measurement:
    clock = Clock()
    engine = Engine(clock, takes_ns, np.zeros((1, 2, 3), np.float32) if outputs is None else outputs)
    return measure(engine, Source(clock, decode_ns, labels), settings(**flags), clock=clock)


def test_warm_up_and_the_first_two_host_calls_are_in_no_figure() -> None:
    found = measured(lambda n: 1_000_000 if n < 3 + DROPPED_HOST_CALLS else 10, warmup=3, iterations=4)
    assert found.host_call_ns.tolist() == [10, 10, 10, 10]
    assert found.round_trip_ns.tolist() == [10, 10, 10, 10]
    assert found.warmup_host_calls == 3 + DROPPED_HOST_CALLS


def test_a_duration_ends_the_run_after_the_host_call_that_fills_it() -> None:
    found = measured(lambda n: 300_000_000, duration=1.0)
    assert len(found.host_call_ns) == 4


def test_waiting_for_images_is_part_of_the_host_call() -> None:
    found = measured(lambda n: 10, decode_ns=5, iterations=3)
    assert found.host_call_ns.tolist() == [15, 15, 15]
    assert found.decode_wait_ns.tolist() == [5, 5, 5]


@pytest.mark.parametrize("works_ahead", [False, True])
def test_the_time_between_host_calls_counts_only_where_images_are_decoded_in_it(works_ahead: bool) -> None:
    clock, reported = Clock(), []

    def slow_terminal(call: TimedCall) -> None:
        reported.append(call.index)
        clock.now_ns += 1_000

    engine = Engine(clock, lambda n: 10, np.zeros((1, 2, 3), np.float32))
    source = Source(clock, works_ahead=works_ahead)
    found = measure(engine, source, settings(iterations=3), slow_terminal, clock)
    assert reported == [1, 2, 3]
    if works_ahead:
        assert found.host_call_ns.tolist() == [10, 1_010, 1_010]
        assert found.between_ns is not None
        assert found.between_ns.tolist() == [0, 1_000, 1_000]
    else:
        assert found.host_call_ns.tolist() == [10, 10, 10]
        assert found.between_ns is None
    assert found.round_trip_ns.tolist() == [10, 10, 10]
    assert np.all(found.start_ns[1:] >= found.start_ns[:-1] + found.host_call_ns[:-1])


def test_top1_counts_labelled_images_alone() -> None:
    outputs = np.array([[[0, 9, 0], [9, 0, 0]]], np.float32)
    found = measured(outputs=outputs, labels=np.array([[1, -1]]), iterations=3)
    assert (found.correct, found.labelled) == (3, 3)
    found = measured(outputs=outputs, labels=np.array([[1, 2]]), iterations=3)
    assert (found.correct, found.labelled) == (3, 6)


def test_outputs_that_are_no_numbers_are_counted() -> None:
    outputs = np.array([[[0, np.nan, 0], [np.inf, 0, 0]]], np.float32)
    assert measured(outputs=outputs, iterations=3).not_finite == 6


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=50), st.integers(1, 4096))
def test_throughput_is_all_samples_over_all_time(times_ns: list[int], samples: int) -> None:
    found = throughput(samples, np.array(times_ns, np.int64))
    rates = [samples / (ns / 1e9) for ns in times_ns]
    assert found.mean == pytest.approx(samples * len(times_ns) / (sum(times_ns) / 1e9))
    assert found.min == pytest.approx(min(rates))
    assert found.max == pytest.approx(max(rates))
    assert found.median == pytest.approx(np.median(rates))
    assert found.min <= found.mean * (1 + 1e-9) <= found.max * (1 + 2e-9)


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=200))
def test_percentiles_are_ordered_and_within_the_range(times_ns: list[int]) -> None:
    found = latency(a_measurement(round_trip_ns=np.array(times_ns, np.int64)))
    assert found.percentiles_ms is not None
    values = list(found.percentiles_ms.values())
    assert values == sorted(values)
    assert found.min_ms <= values[0]
    assert values[-1] <= found.max_ms
    assert found.percentiles_ms[50.0] == pytest.approx(np.median(times_ns) / 1e6)


def test_a_percentile_needs_enough_samples_for_an_upper_bound_and_reports_what_is_missing() -> None:
    few = report(a_measurement(round_trip_ns=np.arange(1, 299) * 10**6))
    assert "\tlatency_p99: n/a (298 samples; 1 more is needed)" in few
    assert "\tlatency_p99.9: n/a (298 samples; 2697 more are needed)" in few
    assert "\tlatency_p95: 283.150 ms (95% low: 277.000, 95% high: 290.000)" in few
    enough = report(a_measurement(round_trip_ns=np.arange(1, 300) * 10**6))
    assert "\tlatency_p99: 296.020 ms (95% low: 293.000, 95% high: 299.000)" in enough


def test_a_device_that_reports_only_a_range_has_no_percentiles() -> None:
    trips = np.array([1, 5, 2, 3, 9, 4], np.int64) * 10**6  # min, max, mean of two host calls
    found = latency(a_measurement(round_trip_ns=trips, round_trip_is_range=True))
    assert (found.min_ms, found.max_ms, found.mean_ms, found.percentiles_ms) == (1.0, 9.0, 3.0, None)


def test_specs_in_the_field_find_each_figure_exactly_once() -> None:
    text = report(a_measurement(host_call_ns=np.array([10**9, 3 * 10**9])))
    text += "\n" + call_line(TimedCall(1, 0, 10**9, np.array([10**6])), 8)
    assert re.findall(THROUGHPUT, text) == ["4.00"]
    assert re.findall(LATENCY, text) == ["2.000"]


def test_the_report_has_the_lines_of_the_contract_in_their_order() -> None:
    lines = [line for line in report(a_measurement()).splitlines() if line]
    heads = [line.partition(":")[0] for line in lines[:8]]
    assert lines[0] == "resnet18 results:"
    assert heads[1:] == [
        "\tmicro_batch_size",
        "\tdata_mode",
        "\tdata_type",
        "\tnum_ipus",
        "\tnum_devices",
        "\tthroughput",
        "\tlatency avg",
    ]
    assert all(re.fullmatch(r"\t[^:]+: .+", line) for line in lines[1:])


def test_time_shares_and_top1_are_reported() -> None:
    found = a_measurement(
        host_call_ns=np.array([100, 100]),
        decode_wait_ns=np.array([30, 20]),
        transfer_ns=np.array([5, 5]),
        correct=3,
        labelled=4,
        not_finite=7,
    )
    text = report(found)
    assert "\ttime_share_decode_wait: 25.0%" in text
    assert "\ttime_share_transfer: 5.0%" in text
    assert "\ttime_share_compute: 70.0%" in text
    assert "between" not in text
    text = report(replace(found, between_ns=np.array([6, 4])))
    assert "\ttime_share_between_host_calls: 5.0%" in text
    assert "\ttime_share_compute: 65.0%" in text
    assert "\ttop1: 75.00% (3 of 4 labelled images)" in text
    assert "\tnot_finite_outputs: 7" in text


def a_measurement(**changes: Any) -> Measurement:
    values: dict[str, Any] = {
        "samples_per_host_call": 8,
        "start_ns": np.array([0]),
        "host_call_ns": np.array([10**9]),
        "decode_wait_ns": np.array([0]),
        "transfer_ns": None,
        "round_trip_ns": np.array([10**6, 3 * 10**6]),
        "round_trip_is_range": False,
        "warmup_host_calls": 3,
        "correct": 0,
        "labelled": 0,
        "not_finite": 0,
    }
    return Measurement(**values | changes)


def report(measurement: Measurement) -> str:
    return summary(settings(), measurement, Facts("float32", 0, 1, {"backend": "torch 2"}))
