"""The timed loop: consecutive host calls, with nothing else between the two readings of the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from measurement.cpu_time import CpuTime, read, spent
from measurement.machine import allowed_cores
from measurement.peak_memory import PeakMemory, peak_mib, reset_peak
from measurement.settings import DROPPED_HOST_CALLS, Settings


class HostBatch(Protocol):
    """The images of one host call, as a source returns them."""

    @property
    def micro_batches(self) -> Sequence[NDArray[Any]]: ...
    @property
    def labels(self) -> NDArray[np.int64] | None: ...
    @property
    def decode_wait_ns(self) -> int: ...


class Source(Protocol):
    """A source of host batches. `works_ahead`: images are decoded at any time, not only within `next`."""

    @property
    def works_ahead(self) -> bool: ...
    def next(self) -> HostBatch: ...


class HostCall(Protocol):
    """The result of one host call."""

    @property
    def outputs(self) -> NDArray[np.float32] | NDArray[np.float16]: ...
    @property
    def round_trip_ns(self) -> NDArray[np.int64]: ...
    @property
    def round_trip_is_range(self) -> bool: ...
    @property
    def transfer_ns(self) -> NDArray[np.int64] | None: ...


class Executable(Protocol):
    """A compiled model."""

    def run(self, batches: Sequence[NDArray[Any]]) -> HostCall: ...


class Peers(Protocol):
    """The other processes of a run, with which a measurement begins and ends in step."""

    def barrier(self) -> None:
        """Returns when all have called it."""

    def all_reached(self) -> bool:
        """Reports that this process has completed its measurement. Returns whether all have."""


@dataclass(frozen=True)
class TimedCall:
    """One timed host call, for live output before the next."""

    index: int
    start_ns: int
    host_call_ns: int
    round_trip_ns: NDArray[np.int64]


@dataclass(frozen=True)
class Measurement:
    """The raw values of one run, without warm-up and dropped host calls.

    `start_ns`: int64 `(host_calls,)`, the start of each, by the clock that all processes share.
    `host_call_ns`: int64 `(host_calls,)`, from requesting the data to the last output on the host; with `between_ns`,
    from the end of the previous host call.
    `decode_wait_ns`: int64 `(host_calls,)`, the part of it spent waiting for decoded images.
    `transfer_ns`: int64 `(host_calls,)`, the part spent copying inputs to the engine; None if that is not a separate
    step.
    `round_trip_ns`: int64 `(host_calls × device_iterations,)`, one per micro-batch; with
    `round_trip_is_range`, `(host_calls × 3,)`: minimum, maximum and mean of each host call.
    `warmup_host_calls`: all host calls before the first timed one.
    `between_ns`: int64 `(host_calls,)`, the part before the data was requested, in which the previous host call was
    counted and reported; None if no work that counts is done in it.
    `correct`, `labelled`: top-1 hits, and the number of images with a label.
    `not_finite`: outputs that were NaN or infinite.
    `cpu_time`: one per process, of its timed host calls and the time between them; empty if unknown.
    `memory`: one per process, the peak before its timed host calls and during them; empty if unknown.
    `replica`: int64 `(host_calls,)`, the number of the replica that made each host call; None for one replica.
    """

    samples_per_host_call: int
    start_ns: NDArray[np.int64]
    host_call_ns: NDArray[np.int64]
    decode_wait_ns: NDArray[np.int64]
    transfer_ns: NDArray[np.int64] | None
    round_trip_ns: NDArray[np.int64]
    round_trip_is_range: bool
    warmup_host_calls: int
    correct: int
    labelled: int
    not_finite: int
    replica: NDArray[np.int64] | None = None
    between_ns: NDArray[np.int64] | None = None
    cpu_time: tuple[CpuTime, ...] = ()
    memory: tuple[PeakMemory, ...] = ()

    @property
    def samples(self) -> int:
        """Images in the timed host calls."""
        return len(self.host_call_ns) * self.samples_per_host_call

    @property
    def duration_s(self) -> float:
        """Seconds of timed host calls; with several replicas, which run at the same time, their mean."""
        return float(self.host_call_ns.sum()) / 1e9 / len(self.by_replica)

    @property
    def by_replica(self) -> tuple[NDArray[np.int64], ...]:
        """`host_call_ns` of each replica."""
        if self.replica is None:
            return (self.host_call_ns,)
        return tuple(self.host_call_ns[self.replica == number] for number in np.unique(self.replica))

    def of_host_calls(self, chosen: NDArray[Any] | slice) -> Measurement:
        """The measurement of only the chosen host calls, by index, mask or slice; counts of outputs stay unchanged."""

        def some(values: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
            return None if values is None else values[chosen]

        return replace(
            self,
            start_ns=self.start_ns[chosen],
            host_call_ns=self.host_call_ns[chosen],
            decode_wait_ns=self.decode_wait_ns[chosen],
            transfer_ns=some(self.transfer_ns),
            between_ns=some(self.between_ns),
            round_trip_ns=self.round_trip_ns.reshape(len(self.host_call_ns), -1)[chosen].ravel(),
            replica=some(self.replica),
        )


def known_of_all(parts: Sequence[NDArray[np.int64] | None]) -> list[NDArray[np.int64]] | None:
    """The parts, or None if one of them is None."""
    known = [part for part in parts if part is not None]
    return known if len(known) == len(parts) else None


def measure(
    executable: Executable,
    source: Source,
    settings: Settings,
    on_call: Callable[[TimedCall], None] = lambda call: None,
    clock: Callable[[], int] = time.perf_counter_ns,
    ended: Callable[[], bool] | None = None,
    peers: Peers | None = None,
) -> Measurement:
    """Runs warm-up and timed host calls until `iterations` or `duration_s` is reached.

    The time between two host calls counts only if the source works ahead: images decoded in it would otherwise cost
    nothing, and the throughput would exceed what the machine sustains.

    Args:
        on_call: Called after each timed host call, outside the timed region.
        ended: If given, it alone decides when to stop; called after each timed host call.
        peers: All begin their timed host calls together, and continue with untimed ones until the last has completed
            its measurement.
    """
    cores = allowed_cores()
    for _ in range(settings.warmup):
        executable.run(source.next().micro_batches)
    if peers is not None:
        peers.barrier()  # so that no process waits for long between the two readings
    # Before the dropped host calls, which consume the images that are decoded during the reading.
    before = read(cores, settings.replica_processes)
    before_mib, counts_anew = reset_peak()
    for _ in range(DROPPED_HOST_CALLS):
        executable.run(source.next().micro_batches)
    if peers is not None:
        peers.barrier()

    start_ns: list[int] = []
    host_call_ns: list[int] = []
    decode_wait_ns: list[int] = []
    between_ns: list[int] = []
    transfer_ns: list[int | None] = []
    round_trips: list[NDArray[np.int64]] = []
    elapsed_ns = correct = labelled = not_finite = 0
    works_ahead, now_ns = source.works_ahead, clock()
    while True:
        asked_ns = clock()
        began_ns = now_ns if works_ahead else asked_ns
        batch = source.next()
        call = executable.run(batch.micro_batches)
        now_ns = clock()
        took_ns = now_ns - began_ns

        elapsed_ns += took_ns
        start_ns.append(began_ns)
        host_call_ns.append(took_ns)
        between_ns.append(asked_ns - began_ns)
        decode_wait_ns.append(batch.decode_wait_ns)
        round_trips.append(call.round_trip_ns.copy())
        transfer_ns.append(None if call.transfer_ns is None else int(call.transfer_ns.sum()))
        hits, known = _top1(call.outputs, batch.labels)
        correct, labelled = correct + hits, labelled + known
        not_finite += call.outputs.size - int(np.count_nonzero(np.isfinite(call.outputs)))
        on_call(TimedCall(len(host_call_ns), began_ns, took_ns, round_trips[-1]))
        if ended() if ended is not None else _reached(settings, len(host_call_ns), elapsed_ns):
            break
    after = read(cores, settings.replica_processes)
    memory = PeakMemory(before_mib, peak_mib() if counts_anew else None)
    while peers is not None and not peers.all_reached():
        executable.run(source.next().micro_batches)

    return Measurement(
        samples_per_host_call=settings.samples_per_host_call,
        start_ns=np.array(start_ns, np.int64),
        host_call_ns=np.array(host_call_ns, np.int64),
        decode_wait_ns=np.array(decode_wait_ns, np.int64),
        transfer_ns=None if None in transfer_ns else np.array(transfer_ns, np.int64),
        round_trip_ns=np.concatenate(round_trips),
        round_trip_is_range=call.round_trip_is_range,
        warmup_host_calls=settings.warmup + DROPPED_HOST_CALLS,
        correct=correct,
        labelled=labelled,
        not_finite=not_finite,
        between_ns=np.array(between_ns, np.int64) if works_ahead else None,
        cpu_time=(spent(before, after, len(cores)),),
        memory=(memory,),
    )


def _reached(settings: Settings, host_calls: int, elapsed_ns: int) -> bool:
    by_count = settings.iterations is not None and host_calls >= settings.iterations
    return by_count or (settings.duration_s is not None and elapsed_ns >= settings.duration_s * 1e9)


def _top1(
    outputs: NDArray[np.float32] | NDArray[np.float16], labels: NDArray[np.int64] | None
) -> tuple[int, int]:
    """Hits and labelled images; `outputs` `(calls, samples, classes)`, `labels` `(calls, samples)`, -1: none."""
    if labels is None:
        return 0, 0
    known = labels >= 0
    return int(np.count_nonzero(known & (outputs.argmax(axis=-1) == labels))), int(np.count_nonzero(known))
