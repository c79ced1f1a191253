"""Metrics from raw nanoseconds: pure functions on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from measurement.loop import Measurement
from measurement.order_statistics import bound_ranks

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True)
class Throughput:
    """Samples per second: `mean` is all samples over all time; the rest is over single host calls."""

    mean: float
    median: float
    min: float
    max: float
    std: float


@dataclass(frozen=True)
class Latency:
    """Round trip of one micro-batch in milliseconds; `percentiles_ms` is None if the device reports only a range.

    `bounds_ms` are the lower and upper 95% bounds of the percentiles for which there are enough samples.
    """

    mean_ms: float
    min_ms: float
    max_ms: float
    samples: int
    percentiles_ms: dict[float, float] | None
    bounds_ms: dict[float, tuple[float, float]]


def throughput(samples_per_host_call: int, *host_call_ns: NDArray[np.int64]) -> Throughput:
    """The throughput of host calls `(host_calls,)` int64 ns, one array per replica; `std` is that of a sample (n - 1).

    Replicas run concurrently, so their rates add up: `mean` is the sum of their means; the rest is over the first host
    calls, the second ones and so on, as far as all replicas have them.
    """
    together = min(map(len, host_call_ns))
    per_call = np.sum([samples_per_host_call * 1e9 / own[:together] for own in host_call_ns], axis=0)
    return Throughput(
        mean=float(sum(samples_per_host_call * len(own) * 1e9 / own.sum() for own in host_call_ns)),
        median=float(np.median(per_call)),
        min=float(per_call.min()),
        max=float(per_call.max()),
        std=float(per_call.std(ddof=1)) if len(per_call) > 1 else 0.0,
    )


def latency(measurement: Measurement) -> Latency:
    """The latency over all timed micro-batches; percentiles by numpy's method `linear`.

    If the device reports only a range per host call: minimum of minima, maximum of maxima and mean of means, without
    percentiles.
    """
    if measurement.round_trip_is_range:
        low, high, mean = (measurement.round_trip_ns / 1e6).reshape(-1, 3).T
        return Latency(float(mean.mean()), float(low.min()), float(high.max()), len(mean), None, {})
    return latency_of(measurement.round_trip_ns)


def latency_of(round_trip_ns: NDArray[np.int64]) -> Latency:
    """The latency over single round trips `(n,)` int64 ns."""
    round_trip_ms = np.sort(round_trip_ns) / 1e6
    values = np.percentile(round_trip_ms, PERCENTILES, method="linear")
    ranks = {percentile: bound_ranks(len(round_trip_ms), percentile) for percentile in PERCENTILES}
    return Latency(
        mean_ms=float(round_trip_ms.mean()),
        min_ms=float(round_trip_ms.min()),
        max_ms=float(round_trip_ms.max()),
        samples=len(round_trip_ms),
        percentiles_ms=dict(zip(PERCENTILES, map(float, values), strict=True)),
        bounds_ms={
            percentile: (float(round_trip_ms[both[0] - 1]), float(round_trip_ms[both[1] - 1]))
            for percentile, both in ranks.items()
            if both is not None
        },
    )
