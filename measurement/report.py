"""The report lines: the driver's text interface, which existing specs match with regular expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from measurement.cpu_time import cpu_time_lines
from measurement.loop import Measurement, TimedCall
from measurement.order_statistics import samples_needed
from measurement.settings import Settings
from measurement.statistics import PERCENTILES, Latency, Throughput, latency, throughput


@dataclass(frozen=True)
class Facts:
    """Facts about a run, other than its settings and results, as text for the report.

    `details` follow as `key: value` lines in their order.
    """

    dtype: str
    num_ipus: int
    num_devices: int
    details: Mapping[str, str]


def call_line(call: TimedCall, samples_per_host_call: int, maker: str = "") -> str:
    """`Throughput: X imgs/sec; Latency range: A..B ms` of one host call, after `maker` (`[replica 1/2] `)."""
    rate = samples_per_host_call * 1e9 / call.host_call_ns
    low, high = call.round_trip_ns.min() / 1e6, call.round_trip_ns.max() / 1e6
    return f"{maker}Throughput: {rate:.2f} imgs/sec; Latency range: {low:.3f}..{high:.3f} ms"


def summary(settings: Settings, measurement: Measurement, facts: Facts) -> str:
    """The lines at the end of a run."""
    rate = throughput(measurement.samples_per_host_call, *measurement.by_replica)
    trip = latency(measurement)
    more = {
        **metrics(rate, trip),
        "samples": str(measurement.samples),
        "host_calls": str(len(measurement.host_call_ns)),
        "device_iterations": str(settings.device_iterations),
        "duration": f"{measurement.duration_s:.3f} s",
        "warmup_host_calls": str(measurement.warmup_host_calls),
        **_time_shares(measurement),
        **cpu_time_lines(measurement.cpu_time),
        **_top1(measurement),
        **facts.details,
    }
    return results(settings, rate, trip, facts, more)


def results(
    settings: Settings, rate: Throughput, trip: Latency, facts: Facts, more: Mapping[str, str]
) -> str:
    """The head of the results, which specs match, then `more` as `key: value` lines in their order."""
    head = [
        f"{settings.model} results:",
        f"\tmicro_batch_size: {settings.micro_batch_size}",
        f"\tdata_mode: {settings.data}",
        f"\tdata_type: torch.{facts.dtype}",
        f"\tnum_ipus: {facts.num_ipus}",
        *([] if facts.num_ipus else [f"\tnum_devices: {facts.num_devices}"]),
        f"\tthroughput: {rate.mean:.2f} samples/sec (mean) "
        f"(min: {rate.min:.2f}, max: {rate.max:.2f}, std: {rate.std:.2f})",
        f"\tlatency avg: {trip.mean_ms:.3f} ms (mean) (min: {trip.min_ms:.3f}, max: {trip.max_ms:.3f})",
    ]
    return "\n\n".join(head) + "\n\n" + "\n".join(f"\t{key}: {value}" for key, value in more.items())


def metrics(rate: Throughput, trip: Latency) -> dict[str, str]:
    """The metrics that are not in the head: the median, and the percentiles with their 95% bounds."""
    return {
        "throughput_median": f"{rate.median:.2f} samples/sec",
        **_percentiles(trip),
        "latency_samples": str(trip.samples),
    }


def compile_summary(settings: Settings, facts: Facts) -> str:
    """The lines at the end of a run with `--compile-only`."""
    head = {
        "micro_batch_size": settings.micro_batch_size,
        "data_mode": settings.data,
        "data_type": f"torch.{facts.dtype}",
        "num_ipus": facts.num_ipus,
        **({} if facts.num_ipus else {"num_devices": facts.num_devices}),
        "device_iterations": settings.device_iterations,
        **facts.details,
    }
    return f"{settings.model} compiled:\n\n" + "\n".join(f"\t{key}: {value}" for key, value in head.items())


def _percentiles(trip: Latency) -> dict[str, str]:
    if trip.percentiles_ms is None:
        reason = "n/a (the device reports only minimum, maximum and mean of a host call)"
        return {f"latency_p{percentile:g}": reason for percentile in PERCENTILES}
    return {
        f"latency_p{percentile:g}": _percentile(percentile, value, trip)
        for percentile, value in trip.percentiles_ms.items()
    }


def _percentile(percentile: float, value_ms: float, trip: Latency) -> str:
    if percentile not in trip.bounds_ms:
        missing = samples_needed(percentile) - trip.samples
        return f"n/a ({trip.samples} samples; {missing} more {'is' if missing == 1 else 'are'} needed)"
    low, high = trip.bounds_ms[percentile]
    return f"{value_ms:.3f} ms (95% low: {low:.3f}, 95% high: {high:.3f})"


def _time_shares(measurement: Measurement) -> dict[str, str]:
    whole = measurement.host_call_ns.sum()
    wait = measurement.decode_wait_ns.sum() / whole
    transfer = None if measurement.transfer_ns is None else measurement.transfer_ns.sum() / whole
    between = None if measurement.between_ns is None else measurement.between_ns.sum() / whole
    return {
        **({} if between is None else {"time_share_between_host_calls": f"{between:.1%}"}),
        "time_share_decode_wait": f"{wait:.1%}",
        "time_share_transfer": "n/a (not a separate step)" if transfer is None else f"{transfer:.1%}",
        "time_share_compute": f"{1 - wait - (transfer or 0) - (between or 0):.1%}",
    }


def _top1(measurement: Measurement) -> dict[str, str]:
    lines = {}
    if measurement.labelled:
        share = measurement.correct / measurement.labelled
        lines["top1"] = f"{share:.2%} ({measurement.correct} of {measurement.labelled} labelled images)"
    if measurement.not_finite:
        lines["not_finite_outputs"] = str(measurement.not_finite)
    return lines
