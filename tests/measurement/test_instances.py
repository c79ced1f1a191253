"""Several instances' figures are those of one run: the longest times, the samples of all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measurement.loop import Measurement
from measurement.statistics import latency, throughput
from measurement.window import together


def measurement(took_ns: list[int], device_iterations: int = 2, samples: int = 4) -> Measurement:
    calls = np.array(took_ns, np.int64)
    return Measurement(
        samples_per_host_call=samples,
        start_ns=np.arange(len(calls)),
        host_call_ns=calls,
        decode_wait_ns=calls // 2,
        transfer_ns=calls // 4,
        round_trip_ns=np.repeat(calls, device_iterations) + np.arange(len(calls) * device_iterations),
        round_trip_is_range=False,
        warmup_host_calls=3,
        correct=1,
        labelled=2,
        not_finite=3,
        between_ns=calls // 8,
    )


@given(st.lists(st.lists(st.integers(1, 10**9), min_size=1, max_size=8), min_size=2, max_size=4))
def test_a_host_call_takes_as_long_as_the_slowest_and_has_the_samples_of_all(
    took_ns: list[list[int]],
) -> None:
    found = together([measurement(own) for own in took_ns])
    longest = [max(column) for column in zip(*took_ns, strict=False)]
    assert found.host_call_ns.tolist() == longest
    assert found.samples == 4 * len(took_ns) * len(longest)
    assert found.decode_wait_ns.tolist() == [ns // 2 for ns in longest]
    assert found.transfer_ns is not None
    assert found.transfer_ns.tolist() == [ns // 4 for ns in longest]
    assert found.between_ns is not None
    assert found.between_ns.tolist() == [ns // 8 for ns in longest]
    assert (found.correct, found.labelled, found.not_finite) == tuple(n * len(took_ns) for n in (1, 2, 3))
    rate = throughput(found.samples_per_host_call, *found.by_replica)
    assert rate.mean == pytest.approx(found.samples * 1e9 / sum(longest))


@given(st.lists(st.lists(st.integers(1, 10**9), min_size=1, max_size=8), min_size=2, max_size=4))
def test_latency_is_of_all_round_trips_in_the_host_calls_that_count(took_ns: list[list[int]]) -> None:
    parts = [measurement(own) for own in took_ns]
    calls = min(map(len, took_ns))
    round_trips_ms = np.concatenate([part.round_trip_ns[: 2 * calls] for part in parts]) / 1e6
    trip = latency(together(parts))
    assert trip.samples == len(round_trips_ms)
    assert (trip.min_ms, trip.max_ms) == (round_trips_ms.min(), round_trips_ms.max())
    assert trip.percentiles_ms is not None
    assert trip.percentiles_ms[90.0] == pytest.approx(np.percentile(round_trips_ms, 90, method="linear"))


def test_ranges_give_minimum_of_minima_maximum_of_maxima_and_mean_of_means() -> None:
    ranges = [np.array([1, 9, 4, 2, 8, 5]), np.array([3, 7, 6, 1, 20, 9])]
    parts = [
        replace(measurement([10, 10]), round_trip_ns=own * 1_000_000, round_trip_is_range=True)
        for own in ranges
    ]
    trip = latency(together(parts))
    assert (trip.min_ms, trip.max_ms, trip.mean_ms, trip.percentiles_ms) == (1, 20, 6, None)


def test_replicas_count_like_instances() -> None:
    two = replace(measurement([10, 20, 30, 40]), replica=np.array([0, 1, 0, 1]))
    found = together([two, two])
    assert found.host_call_ns.tolist() == [20, 40]
    assert found.samples == 4 * 4 * 2
    assert len(found.round_trip_ns) == 16
    assert found.replica is None


def test_one_instance_is_as_it_was() -> None:
    own = measurement([10, 20])
    assert together([own]) is own
