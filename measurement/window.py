"""The window in which all replicas were running, to which measurements are restricted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

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
        correct=sum(own.correct for own in replicas),
        labelled=sum(own.labelled for own in replicas),
        not_finite=sum(own.not_finite for own in replicas),
        cpu_time=of_all([own.cpu_time for own in replicas]),
    )


def _between(own: Measurement, opened_ns: int, closed_ns: int, iterations: int | None) -> Measurement:
    inside = (own.start_ns >= opened_ns) & (own.start_ns + own.host_call_ns <= closed_ns)
    chosen = np.flatnonzero(inside)[:iterations]
    return own.of_host_calls(chosen)


def _joined(parts: Sequence[NDArray[np.int64] | None]) -> NDArray[np.int64] | None:
    known = known_of_all(parts)
    return None if known is None else np.concatenate(known)
