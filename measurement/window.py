"""Merges measurements: of replicas, in the window in which all were running, and of instances."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from measurement.cpu_time import of_all
from measurement.loop import Measurement, known_of_all


def long_enough(
    starts_ns: Sequence[Sequence[int]],
    last_end_ns: Sequence[int],
    iterations: int | None,
    duration_s: float | None,
) -> bool:
    """Whether the replicas may stop, given the starts of their host calls so far and the ends of their last ones.

    Every replica must have `iterations` host calls in the window, or the window must be `duration_s` long and contain a
    host call of every replica. All continue until then, so that none is idle in the window.
    """
    if not all(starts_ns):
        return False
    opened_ns = max(starts[0] for starts in starts_ns)
    fewest = min(len(starts) - bisect_left(starts, opened_ns) for starts in starts_ns)
    if iterations is not None and fewest >= iterations:
        return True
    window_ns = min(last_end_ns) - opened_ns
    return duration_s is not None and fewest >= 1 and window_ns >= duration_s * 1e9


def within_window(replicas: Sequence[Measurement], iterations: int | None) -> Measurement:
    """The host calls of all replicas that lie entirely within [latest first start, earliest last end].

    With `iterations`, only that many of each replica: later ones only kept the load on the others. Top-1, non-finite
    outputs and CPU time are counted over all timed host calls.
    """
    opened_ns = max(int(own.start_ns[0]) for own in replicas)
    closed_ns = min(int(own.start_ns[-1] + own.host_call_ns[-1]) for own in replicas)
    kept = [_between(own, opened_ns, closed_ns, iterations) for own in replicas]
    return replace(
        replicas[0],
        start_ns=np.concatenate([own.start_ns for own in kept]),
        host_call_ns=np.concatenate([own.host_call_ns for own in kept]),
        decode_wait_ns=np.concatenate([own.decode_wait_ns for own in kept]),
        transfer_ns=_joined([own.transfer_ns for own in kept]),
        round_trip_ns=np.concatenate([own.round_trip_ns for own in kept]),
        between_ns=_joined([own.between_ns for own in kept]),
        replica=np.repeat(np.arange(len(kept)), [len(own.host_call_ns) for own in kept]),
        **_counts(replicas),
    )


def together(instances: Sequence[Measurement]) -> Measurement:
    """One measurement, whose n-th host call merges the n-th ones of all: the longest time, and the samples of all.

    Covers the host calls that all have; replicas count as instances. Latency covers all their round trips. The times
    between host calls, waiting and transferring are those of the slowest instance. Top-1, non-finite outputs and CPU
    time are counted over all timed host calls.
    """
    if len(instances) == 1:
        return instances[0]
    processes = [part for instance in instances for part in _replicas(instance)]
    calls = min(len(part.host_call_ns) for part in processes)
    processes = [part.of_host_calls(slice(calls)) for part in processes]
    took_ns = np.stack([part.host_call_ns for part in processes])
    slowest = took_ns.argmax(axis=0), np.arange(calls)

    def of_slowest(parts: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
        known = known_of_all(parts)
        return None if known is None else np.stack(known)[slowest]

    return replace(
        instances[0],
        samples_per_host_call=sum(part.samples_per_host_call for part in processes),
        start_ns=processes[0].start_ns,  # clocks of different hosts are unrelated
        host_call_ns=took_ns[slowest],
        decode_wait_ns=np.stack([part.decode_wait_ns for part in processes])[slowest],
        transfer_ns=of_slowest([part.transfer_ns for part in processes]),
        between_ns=of_slowest([part.between_ns for part in processes]),
        round_trip_ns=np.concatenate([part.round_trip_ns for part in processes]),
        replica=None,
        **_counts(instances),
    )


def _between(own: Measurement, opened_ns: int, closed_ns: int, iterations: int | None) -> Measurement:
    inside = (own.start_ns >= opened_ns) & (own.start_ns + own.host_call_ns <= closed_ns)
    chosen = np.flatnonzero(inside)[:iterations]
    return own.of_host_calls(chosen)


def _joined(parts: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    known = known_of_all(parts)
    return None if known is None else np.concatenate(known)


def _replicas(instance: Measurement) -> list[Measurement]:
    if instance.replica is None:
        return [instance]
    return [
        replace(instance.of_host_calls(instance.replica == number), replica=None)
        for number in np.unique(instance.replica)
    ]


def _counts(parts: Sequence[Measurement]) -> dict[str, Any]:
    """What is counted over all timed host calls: top-1, non-finite outputs, CPU time and memory."""
    return {
        "correct": sum(part.correct for part in parts),
        "labelled": sum(part.labelled for part in parts),
        "not_finite": sum(part.not_finite for part in parts),
        "cpu_time": of_all([part.cpu_time for part in parts]),
        "memory": tuple(one for part in parts for one in part.memory),
    }
