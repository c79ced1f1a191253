"""What the driver prints around the figures: warnings, what really runs, and the facts of the run."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from backends.base import BackendError, Batch, Effective, Executable, ProfilingExecutable, engine_errors
from backends.profiling.profile import PROFILED_MICRO_BATCHES, table, write_trace
from driver.instances.group import Group
from driver.process_result import BuildInfo, InstanceResult
from measurement.cpu_time import disturbance
from measurement.machine import available_cores, cpu_model
from measurement.report import Facts, compile_summary, summary

if TYPE_CHECKING:
    from measurement.settings import Settings
    from models import Weights


def warn(*lines: str) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr, flush=True)


def announce(settings: Settings, weights: Weights, made: Sequence[BuildInfo], group: Group) -> None:
    """What really runs, before the figures; replicas and instances are all made alike, and so are their warnings.

    To be called by all instances; the first one speaks.
    """
    everyones = group.gather((tuple(made), weights.kind))
    if group.index > 0:
        return
    processes = [part for parts, _ in everyones for part in parts]
    warn(*dict.fromkeys(line for part in processes for line in part.warnings))
    warn(*_differences([part.effective for part in processes], [kind for _, kind in everyones]))
    engine = made[0].effective
    if settings.precision == "16.16" and settings.origin["precision"] == "flag" and engine.dtype == "float32":
        warn(f"no effect with {engine.engine} on {engine.device} (it computes in float32): --precision 16.16")
    print(effective_line(engine, settings, weights.kind, group.count), flush=True)


def _differences(engines: Sequence[Effective], weights: Sequence[str]) -> list[str]:
    """Hosts may differ in what their CPUs compute natively, in their packages and in the weights they keep."""
    found = {
        "engine": {f"{engine.engine} {engine.version}" for engine in engines},
        "device": {engine.device for engine in engines},
        "precision": {engine.dtype for engine in engines},
        "threads": {str(engine.threads) for engine in engines},
        "weights": set(weights),
    }
    return [
        f"the instances differ in {what} ({', '.join(sorted(values))}): the slowest sets the pace of all"
        for what, values in found.items()
        if len(values) > 1
    ]


def report(settings: Settings, weights: Weights, made: BuildInfo, own: InstanceResult, group: Group) -> None:
    """The results of all instances, which the first one prints. To be called by all of them."""
    found = InstanceResult.by_all(group.gather(own))
    cores = group.gather(available_cores())
    if group.index > 0:
        return
    if found.decode_errors:
        warn(f"{found.decode_errors} images turned bad during the run; their successors took their place")
    if found.measurement.not_finite:
        warn(
            f"{found.measurement.not_finite} outputs are NaN or infinite: "
            "the figures are of a model that does not work"
        )
    if settings.device == "cpu":  # elsewhere the host has cores to spare
        warn(*disturbance(found.measurement.cpu_time))
    lines = facts(settings, made, weights.kind, found.peak_mib, group, cores)
    print(summary(settings, found.measurement, lines), flush=True)


def report_compiled(settings: Settings, weights: Weights, made: BuildInfo, group: Group) -> None:
    """What compiling gave. To be called by all instances; the first one prints."""
    memory_mib, cores = group.gather(peak_mib()), group.gather(available_cores())
    if group.index == 0:
        lines = facts(settings, made, weights.kind, sum(memory_mib), group, cores)
        print(compile_summary(settings, lines), flush=True)


def effective_line(engine: Effective, settings: Settings, weights: str, instances: int) -> str:
    """What really runs, in one line before the figures."""
    stages = [f"{settings.stages} stages"] if settings.stages > 1 else []
    threads = [f"{engine.threads} threads, {engine.streams} streams"] if engine.threads is not None else []
    shape = ", ".join([*stages, *threads])
    for count, name in ((settings.replicas, "replicas"), (instances, "instances")):
        if count > 1:
            shape = f"{count} {name}" + (f", each with {shape}" if shape else "")
    return (
        f"Running {settings.model} ({weights} weights) on {engine.engine} {engine.version}, {engine.device}: "
        f"{engine.dtype}{', ' * bool(shape)}{shape}; {settings.data} data, "
        f"micro-batch {settings.micro_batch_size}, {settings.device_iterations} device iterations"
    )


def profiled(executable: Executable, example: Batch, settings: Settings, folder: Path) -> str:
    """The most expensive layers, from host calls of their own; all of them as a trace in `folder`."""
    if not isinstance(executable, ProfilingExecutable):
        raise BackendError(f"--profile: {settings.backend} has no profiler; leave the option out")
    host_calls = -(-PROFILED_MICRO_BATCHES // settings.device_iterations)
    with engine_errors(settings, example.nbytes):
        profile = executable.profile([example] * settings.device_iterations, host_calls)
    trace = write_trace(profile, folder)
    return (
        f"\nProfile of {profile.micro_batches} micro-batches in host calls of their own, after the measured ones "
        f"(profiling costs time; the figures above are without it); trace: {trace}\n\n{table(profile)}"
    )


def abandon_output() -> None:
    """Lets what is left in the buffer of stdout go nowhere: the interpreter would fail on it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def peak_mib() -> float:
    """The most memory that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def facts(
    settings: Settings, made: BuildInfo, weights: str, memory_mib: float, group: Group, cores: Sequence[int]
) -> Facts:
    """Of all instances: `memory_mib` is their sum, `cores` what each may use."""
    engine, several = made.effective, settings.replica_processes > 1
    devices = group.count * settings.replicas * settings.stages
    packages = {f"version_{name}": version(name) for name in ("torch", "torchvision", "timm", "numpy")}
    return Facts(
        dtype=engine.dtype,
        num_ipus=devices if settings.device == "ipu" else 0,
        num_devices=devices,
        details={
            "configuration": settings.config or "none",
            "backend": f"{engine.engine} {engine.version}",
            "backend_requested": settings.backend_requested,
            "device": engine.device,
            "precision_requested": settings.precision,
            "precision_effective": engine.dtype,
            "threads": _or_not_there(engine.threads),
            "streams": _or_not_there(engine.streams),
            "in_flight": f"{engine.in_flight} micro-batches",
            **_instances(group, cores),
            "stages": str(settings.stages),
            "replicas": str(settings.replicas),
            **({"cores_per_replica": str(available_cores() // settings.replicas)} if several else {}),
            "weights": weights,
            "normalization_location": settings.normalization_location,
            "eight_bit_io": str(settings.eight_bit_io).lower(),
            **engine.details,
            "build_time": f"{made.build_s:.2f} s",
            "compile_time": f"{made.compile_s:.2f} s",
            "model_cache": made.model_cache,
            "peak_memory": f"{memory_mib:.0f} MiB{_sum_of(settings, group)}",
            "cpu": f"{cpu_model()}, {sum(cores)} cores",
            "version_python": platform.python_version(),
            **packages,
        },
    )


def _or_not_there(number: int | None) -> str:
    return "n/a" if number is None else str(number)


def _instances(group: Group, cores: Sequence[int]) -> dict[str, str]:
    if group.count == 1:
        return {}
    return {
        "instances": str(group.count),
        "launcher": group.launcher,
        "cores_per_instance": ", ".join(map(str, sorted(set(cores)))),
    }


def _sum_of(settings: Settings, group: Group) -> str:
    counts = {"instances": group.count, "replicas": settings.replica_processes}
    several = [f"{count} {name}" for name, count in counts.items() if count > 1]
    return f" (sum of {' of '.join(several)})" if several else ""
