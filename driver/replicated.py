"""Runs several replicas, each in its own process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

from backends.base import EngineError, OutOfMemory, engine_errors
from backends.breadcrumbs import leave_breadcrumb
from driver.crashes import crash_of, phase_of_running, remember
from driver.data import micro_batch_bytes, open_source
from driver.instances.group import Group, line_prefix
from driver.memory import memory_needed
from driver.model import compiled_model
from driver.output import announce
from driver.process_result import BuildInfo, InstanceResult
from driver.supervisor import FAULTS
from driver.telemetry import switch_off
from measurement.loop import measure
from measurement.machine import core_shares, cores_in_use
from measurement.progress import live_output, lock_bars_in_this_process
from measurement.replica_link import Link
from measurement.replicas import run_replicas
from measurement.settings import Settings
from measurement.settle import settle
from measurement.window import within_window
from models import Weights, input_with

if TYPE_CHECKING:
    from datasets.images import ImageSet


def measured_by_replicas(
    settings: Settings, images: ImageSet | None, weights: Weights, group: Group
) -> tuple[BuildInfo, InstanceResult]:
    """How the first replica was built, and the merged result of all in the window in which all were running."""
    builds: list[BuildInfo] = []
    leave_breadcrumb(phase="coordinating replicas")
    with ExitStack() as live:

        def ready(parts: Sequence[BuildInfo]) -> Callable[..., None]:
            builds.extend(parts)
            announce(settings, weights, parts, group)
            on_call = live.enter_context(live_output(settings, line_prefix(group)))
            group.barrier()
            return on_call

        results: list[InstanceResult] = run_replicas(
            partial(replica, settings, images, weights, group.index, group.count),
            core_shares(cores_in_use(), settings.replicas),
            settings,
            ready,
            group.all_reached,
            how_killed=_how_killed,
        )
    together = within_window([part.measurement for part in results], settings.iterations)
    errors, memory = sum(part.decode_errors for part in results), sum(part.peak_mib for part in results)
    return builds[0], InstanceResult(together, errors, memory)


def _how_killed(pid: int, number: int) -> str:
    if number not in FAULTS:
        return f" was killed by {signal.Signals(number).name}"
    crash = crash_of(pid, number)
    remember(crash)
    return f": {crash.message}"


def replica(
    settings: Settings, images: ImageSet | None, weights: Weights, instance: int, instances: int, link: Link
) -> InstanceResult:
    """The job of one replica's process: compiles its model and measures."""
    switch_off()
    lock_bars_in_this_process()
    rank, world_size = instance * link.world_size + link.rank, instances * link.world_size
    try:
        return _measured(settings, images, weights, link, rank, world_size)
    except OutOfMemory as error:  # its settings are not sent to the parent, so the message is completed here
        raise EngineError(f"{error}{memory_needed(error)}") from error


def _measured(
    settings: Settings, images: ImageSet | None, weights: Weights, link: Link, rank: int, world_size: int
) -> InstanceResult:
    pixels = input_with(settings.model, weights)
    compiled = compiled_model(settings, pixels, weights)
    build_info = BuildInfo.of(compiled, settle())
    with (
        closing(compiled.executable) as executable,
        engine_errors(settings, micro_batch_bytes(settings, pixels), unwrapped=(OSError,)),
    ):
        with open_source(settings, pixels, images, weights.kind, rank, world_size) as source:
            link.begin(build_info)
            leave_breadcrumb(engine=settings.backend, phase=phase_of_running(settings))
            measurement = measure(executable, source, settings, link.on_call, ended=link.ended)
        return InstanceResult.of(measurement, source.decode_errors)
