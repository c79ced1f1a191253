"""Merges the measurements of several instances into that of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from measurement.cpu_time import of_all
from measurement.loop import Measurement, known_of_all


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
        correct=sum(part.correct for part in instances),
        labelled=sum(part.labelled for part in instances),
        not_finite=sum(part.not_finite for part in instances),
        cpu_time=of_all([part.cpu_time for part in instances]),
    )


def _replicas(instance: Measurement) -> list[Measurement]:
    if instance.replica is None:
        return [instance]
    return [
        replace(instance.of_host_calls(instance.replica == number), replica=None)
        for number in np.unique(instance.replica)
    ]
