"""The driver's output around the measurement: warnings, the effective settings, and the facts of the run."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from backends.base import BackendError, Batch, Effective, Executable, ProfilingExecutable, engine_errors
from backends.profiling.profile import PROFILED_MICRO_BATCHES, table, write_trace
from driver.instances.group import Group
from driver.process_result import BuildInfo, InstanceResult
from measurement.cpu_time import disturbance
from measurement.machine import available_cores, cpu_model
from measurement.peak_memory import measured_mib, peak_mib
from measurement.report import Facts, compile_summary, summary
from measurement.settings import Settings
from models import Weights


def warn(*lines: str) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr, flush=True)


def announce(settings: Settings, weights: Weights, builds: Sequence[BuildInfo], group: Group) -> None:
    """Prints the effective settings before the measurement, and the warnings of all replicas and instances once.

    To be called by all instances; the first one prints.
    """
    everyones = group.gather((tuple(builds), weights.kind))
    if group.index > 0:
        return
    processes = [part for parts, _ in everyones for part in parts]
    warn(*dict.fromkeys(line for part in processes for line in part.warnings))
    warn(*_differences([part.effective for part in processes], [kind for _, kind in everyones]))
    engine = builds[0].effective
    if settings.precision == "16.16" and settings.origin["precision"] == "flag" and engine.dtype == "float32":
        warn(f"no effect with {engine.engine} on {engine.device} (it computes in float32): --precision 16.16")
    print(effective_line(engine, settings, weights.kind, group.count), flush=True)


def _differences(engines: Sequence[Effective], weights: Sequence[str]) -> list[str]:
    """Warnings about hosts that differ: in the native formats of their CPUs, their packages or their weights."""
    found = {
        "engine": {f"{engine.engine} {engine.version}" for engine in engines},
        "device": {engine.device for engine in engines},
        "precision": {engine.dtype for engine in engines},
        "threads": {str(engine.threads) for engine in engines},
        "weights": set(weights),
    }
    return [
        f"the instances differ in {what} ({', '.join(sorted(values))}): the slowest one determines the results"
        for what, values in found.items()
        if len(values) > 1
    ]


def report(
    settings: Settings,
    weights: Weights,
    inputs: Mapping[str, str],
    build_info: BuildInfo,
    own: InstanceResult,
    group: Group,
) -> None:
    """Prints the results of all instances. To be called by all instances; the first one, which has `inputs`, prints."""
    result = InstanceResult.merged(group.gather(own))
    cores = group.gather(available_cores())
    if group.index > 0:
        return
    if result.decode_errors:
        warn(f"{result.decode_errors} images could not be decoded during the run and were replaced by others")
    if result.measurement.not_finite:
        warn(
            f"{result.measurement.not_finite} outputs are NaN or infinite: the model does not work, so its results are "
            "meaningless"
        )
    if settings.device == "cpu":  # with other devices the host has idle cores
        warn(*disturbance(result.measurement.cpu_time))
    lines = facts(
        settings,
        build_info,
        weights.kind,
        {**inputs, **_measured_memory(settings, result, group)},
        result.peak_mib,
        group,
        cores,
    )
    print(summary(settings, result.measurement, lines), flush=True)


def report_compiled(
    settings: Settings, weights: Weights, inputs: Mapping[str, str], build_info: BuildInfo, group: Group
) -> None:
    """Prints the result of `--compile-only`. To be called by all instances; the first one prints."""
    memory_mib, cores = group.gather(peak_mib()), group.gather(available_cores())
    if group.index == 0:
        lines = facts(settings, build_info, weights.kind, inputs, sum(memory_mib), group, cores)
        print(compile_summary(settings, lines), flush=True)


def effective_line(engine: Effective, settings: Settings, weights: str, instances: int) -> str:
    """The effective settings in one line."""
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
    """Profiles extra host calls. Returns the most expensive layers as text; writes a trace of all to `folder`."""
    if not isinstance(executable, ProfilingExecutable):
        raise BackendError(f"--profile: {settings.backend} has no profiler; leave the option out")
    host_calls = -(-PROFILED_MICRO_BATCHES // settings.device_iterations)
    with engine_errors(settings, example.nbytes):
        profile = executable.profile([example] * settings.device_iterations, host_calls)
    trace = write_trace(profile, folder)
    return (
        f"\nProfile of {profile.micro_batches} micro-batches in separate host calls, after the measured ones "
        f"(profiling takes time; the results above are without it); trace: {trace}\n\n{table(profile)}"
    )


def abandon_output() -> None:
    """Discards what is left in the buffer of stdout: the interpreter would fail on it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def facts(
    settings: Settings,
    build_info: BuildInfo,
    weights: str,
    inputs: Mapping[str, str],
    memory_mib: float,
    group: Group,
    cores: Sequence[int],
) -> Facts:
    """The facts about all instances: `memory_mib` is their sum, `cores` the number that each may use."""
    engine, several = build_info.effective, settings.replica_processes > 1
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
            "threads": _or_not_available(engine.threads),
            "streams": _or_not_available(engine.streams),
            "in_flight": f"{engine.in_flight} micro-batches",
            **_instances(group, cores),
            "stages": str(settings.stages),
            "replicas": str(settings.replicas),
            **({"cores_per_replica": str(available_cores() // settings.replicas)} if several else {}),
            "weights": weights,
            **inputs,
            "normalization_location": settings.normalization_location,
            "eight_bit_io": str(settings.eight_bit_io).lower(),
            **engine.details,
            "build_time": f"{build_info.build_s:.2f} s",
            "compile_time": f"{build_info.compile_s:.2f} s",
            "model_cache": build_info.model_cache,
            "peak_memory_process": f"{memory_mib:.0f} MiB{_sum_of(settings, group)}",
            "cpu": f"{cpu_model()}, {sum(cores)} cores",
            "version_python": platform.python_version(),
            **packages,
        },
    )


def _or_not_available(number: int | None) -> str:
    return "n/a" if number is None else str(number)


def _instances(group: Group, cores: Sequence[int]) -> dict[str, str]:
    if group.count == 1:
        return {}
    return {
        "instances": str(group.count),
        "launcher": group.launcher,
        "cores_per_instance": ", ".join(map(str, sorted(set(cores)))),
    }


def _measured_memory(settings: Settings, result: InstanceResult, group: Group) -> dict[str, str]:
    found = measured_mib(result.measurement.memory)
    if found is None:
        return {"peak_memory": "n/a (this system cannot reset the peak of a process)"}
    return {"peak_memory": f"{found:.0f} MiB{_sum_of(settings, group)}"}


def _sum_of(settings: Settings, group: Group) -> str:
    counts = {"instances": group.count, "replicas": settings.replica_processes}
    several = [f"{count} {name}" for name, count in counts.items() if count > 1]
    return f" (sum of {' of '.join(several)})" if several else ""
