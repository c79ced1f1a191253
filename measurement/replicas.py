"""Runs copies of a job in pinned processes that start, stop and fail together."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from typing import Any

from measurement.errors import ReplicaError
from measurement.loop import TimedCall
from measurement.replica_link import Calls, Done, Failed, Link, Ready, go, replica_main, stop
from measurement.settings import Settings
from measurement.window import long_enough

GRACE_S = 5.0
"""How long a replica may take to end after SIGTERM before it is killed."""


def run_replicas(
    job: Callable[[Link], Any],
    cores: Sequence[Sequence[int]],
    settings: Settings,
    on_ready: Callable[[Sequence[Any]], Callable[[TimedCall, str], None]],
    all_reached: Callable[[], bool] = lambda: True,
    noun: str = "replica",
    if_memory_ran_out: str = "lower --replicas or --micro-batch-size",
    how_killed: Callable[[int, int], str] = lambda pid, number: (
        f" was killed by {signal.Signals(number).name}"
    ),
) -> list[Any]:
    """The results of `job` in each of the processes, one per share of `cores`.

    The replicas wait for each other in `link.begin`. Once they have completed their measurements, they continue until
    `all_reached`, which is polled. No replica is left running after an error or Ctrl-C.

    Args:
        job: Must be importable by name, and its result picklable.
        on_ready: Takes the facts that the replicas passed to `link.begin`, and returns a callback for each timed host
            call and its maker.
        noun: The name of the processes in lines and errors.
        if_memory_ran_out: The remedy if the kernel killed a process.
        how_killed: Takes the process id and the signal, other than SIGKILL, that ended a process; returns what
            follows its name in the message.

    Raises:
        ReplicaError: A replica ended prematurely.
        ValueError: A replica refused the request.
    """
    replicas: list[_Replica] = []
    try:
        for own in cores:
            replicas.append(_start(job, len(replicas), len(cores), own, noun))
        return _attend(replicas, settings, on_ready, all_reached)
    except _Lost as lost:
        raise ReplicaError(f"{lost.name}{_how_it_ended(lost, if_memory_ran_out, how_killed)}") from None
    finally:
        _end(replicas)


class _Lost(Exception):
    """A process that ended without a message; `exit_code` is None if it only closed its connection."""

    def __init__(self, name: str, pid: int, exit_code: int | None) -> None:
        super().__init__(name, pid, exit_code)
        self.name, self.pid, self.exit_code = name, pid, exit_code


@dataclass
class _Replica:
    name: str
    process: SpawnProcess
    channel: connection.Connection
    ready: Ready | None = None
    starts_ns: list[int] = field(default_factory=list)
    last_end_ns: int = 0
    done: Done | None = None


def _start(
    job: Callable[[Link], Any], rank: int, world_size: int, cores: Sequence[int], noun: str
) -> _Replica:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=replica_main, args=(job, Link(rank, world_size, theirs)))
    with _inherited(cores):
        process.start()
    # With our copy closed, reading returns end of file as soon as the replica is gone.
    theirs.close()
    return _Replica(f"{noun} {rank + 1}/{world_size}", process, ours)


@contextmanager
def _inherited(cores: Sequence[int]) -> Iterator[None]:
    """Sets what a process started inside inherits, before any library in it counts cores or starts threads.

    It may use only `cores`, and ignores Ctrl-C, which a terminal sends to all processes at once: the parent ends the
    replicas.
    """
    resource_tracker.ensure_running()  # otherwise it would inherit the same, and it unblocks the signals
    before = os.sched_getaffinity(0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _attend(
    replicas: Sequence[_Replica],
    settings: Settings,
    on_ready: Callable[[Sequence[Any]], Callable[[TimedCall, str], None]],
    all_reached: Callable[[], bool],
) -> list[Any]:
    by_channel = {replica.channel: replica for replica in replicas}
    on_call: Callable[[TimedCall, str], None] | None = None
    stopping = False
    while any(replica.done is None for replica in replicas):
        waited_for = [replica.channel for replica in replicas if replica.done is None]
        for channel in connection.wait(waited_for):
            assert isinstance(channel, connection.Connection)
            replica = by_channel[channel]
            match _received(replica):
                case Ready() as ready:
                    replica.ready = ready
                    if all(other.ready for other in replicas):
                        on_call = on_ready([other.ready.facts for other in replicas if other.ready])
                        _send_to_all(replicas, go)
                case Calls(calls):
                    replica.starts_ns += [call.start_ns for call in calls]
                    replica.last_end_ns = calls[-1].start_ns + calls[-1].host_call_ns
                    if on_call is not None and not stopping:
                        for call in calls:
                            on_call(call, f"[{replica.name}] ")
                case Done() as done:
                    replica.done = done
                case Failed(error):
                    raise error if isinstance(error, ValueError) else ReplicaError(f"{replica.name}: {error}")
        if not stopping and _may_stop(replicas, settings) and all_reached():
            stopping = True
            _send_to_all(replicas, stop)
    return [replica.done.result for replica in replicas if replica.done]


def _may_stop(replicas: Sequence[_Replica], settings: Settings) -> bool:
    return long_enough(
        [replica.starts_ns for replica in replicas],
        [replica.last_end_ns for replica in replicas],
        settings.iterations,
        settings.duration_s,
    )


def _received(replica: _Replica) -> Ready | Calls | Done | Failed:
    try:
        message: Ready | Calls | Done | Failed = replica.channel.recv()
    except (EOFError, OSError):
        replica.process.join(GRACE_S)
        raise _Lost(replica.name, replica.process.pid or 0, replica.process.exitcode) from None
    return message


def _how_it_ended(lost: _Lost, if_memory_ran_out: str, how_killed: Callable[[int, int], str]) -> str:
    if lost.exit_code is None:
        return " closed its connection but does not end"
    if lost.exit_code >= 0:
        return f" ended with exit code {lost.exit_code} before it was done; its own message is above"
    if lost.exit_code == -signal.SIGKILL:
        return f" was killed by SIGKILL (the kernel does so if memory runs out: {if_memory_ran_out})"
    return how_killed(lost.pid, -lost.exit_code)


def _send_to_all(replicas: Sequence[_Replica], message: str) -> None:
    for replica in replicas:
        try:
            replica.channel.send(message)
        except OSError:  # it has ended: reading from its connection will report how
            continue


def _end(replicas: Sequence[_Replica]) -> None:
    """Waits for replicas that are done, and terminates all others."""
    for replica in replicas:
        if replica.done is None:
            replica.process.terminate()
    for replica in replicas:
        replica.process.join(GRACE_S)
        if replica.process.exitcode is None:
            replica.process.kill()
            replica.process.join()
        replica.channel.close()
