"""The figures of several instances, as those of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from measurement.loop import Measurement


def together(instances: Sequence[Measurement]) -> Measurement:
    """One measurement, whose n-th host call is everybody's n-th one: the longest time, the samples of all.

    As far as all have host calls; replicas count as instances. Latency is of all round trips in them. Time
    spent between host calls, waiting or transferring is that of the instance that took longest. Top-1 and outputs
    that are not finite are counted over all timed host calls.
    """
    if len(instances) == 1:
        return instances[0]
    processes = [part for instance in instances for part in _replicas(instance)]
    calls = min(len(part.host_call_ns) for part in processes)
    took_ns = np.stack([part.host_call_ns[:calls] for part in processes])
    slowest = took_ns.argmax(axis=0), np.arange(calls)
    transfers_ns = [part.transfer_ns[:calls] for part in processes if part.transfer_ns is not None]
    between_ns = [part.between_ns[:calls] for part in processes if part.between_ns is not None]
    return replace(
        instances[0],
        samples_per_host_call=sum(part.samples_per_host_call for part in processes),
        start_ns=processes[0].start_ns[:calls],  # clocks of several hosts have nothing in common
        host_call_ns=took_ns[slowest],
        decode_wait_ns=np.stack([part.decode_wait_ns[:calls] for part in processes])[slowest],
        transfer_ns=np.stack(transfers_ns)[slowest] if len(transfers_ns) == len(processes) else None,
        between_ns=np.stack(between_ns)[slowest] if len(between_ns) == len(processes) else None,
        round_trip_ns=np.concatenate([_round_trips(part, calls) for part in processes]),
        replica=None,
        correct=sum(part.correct for part in instances),
        labelled=sum(part.labelled for part in instances),
        not_finite=sum(part.not_finite for part in instances),
    )


def _replicas(instance: Measurement) -> list[Measurement]:
    if instance.replica is None:
        return [instance]
    round_trip_ns = instance.round_trip_ns.reshape(len(instance.replica), -1)
    return [
        replace(
            instance,
            start_ns=instance.start_ns[own],
            host_call_ns=instance.host_call_ns[own],
            decode_wait_ns=instance.decode_wait_ns[own],
            transfer_ns=None if instance.transfer_ns is None else instance.transfer_ns[own],
            between_ns=None if instance.between_ns is None else instance.between_ns[own],
            round_trip_ns=round_trip_ns[own].ravel(),
            replica=None,
        )
        for own in (instance.replica == number for number in np.unique(instance.replica))
    ]


def _round_trips(part: Measurement, calls: int) -> NDArray[np.int64]:
    return part.round_trip_ns.reshape(len(part.host_call_ns), -1)[:calls].ravel()
