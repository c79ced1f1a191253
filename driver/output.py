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

from backends.base import BackendError, Batch, Effective, Executable, ProfilingExecutable
from backends.profiling.profile import PROFILED_MICRO_BATCHES, table, write_trace
from driver.outcome import Found, Made
from measurement.machine import available_cores, cpu_model
from measurement.report import Facts, summary

if TYPE_CHECKING:
    from measurement.settings import Settings
    from models import Weights


def warn(*lines: str) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr, flush=True)


def announce(settings: Settings, weights: Weights, made: Sequence[Made]) -> None:
    """What really runs, before the figures; replicas are all made alike, and so are their warnings."""
    warn(*dict.fromkeys(line for part in made for line in part.warnings))
    engine = made[0].effective
    if settings.precision == "16.16" and settings.origin["precision"] == "flag" and engine.dtype == "float32":
        warn(f"no effect with {engine.engine} on {engine.device} (it computes in float32): --precision 16.16")
    print(effective_line(engine, settings, weights.kind), flush=True)


def report(settings: Settings, weights: Weights, made: Made, found: Found) -> None:
    if found.decode_errors:
        warn(f"{found.decode_errors} images turned bad during the run; their successors took their place")
    if found.measurement.not_finite:
        warn(
            f"{found.measurement.not_finite} outputs are NaN or infinite: "
            "the figures are of a model that does not work"
        )
    lines = facts(settings, made, weights.kind, found.peak_mib)
    print(summary(settings, found.measurement, lines), flush=True)


def effective_line(engine: Effective, settings: Settings, weights: str) -> str:
    """What really runs, in one line before the figures."""
    stages = [f"{settings.stages} stages"] if settings.stages > 1 else []
    threads = [f"{engine.threads} threads, {engine.streams} streams"] if engine.threads is not None else []
    shape = ", ".join([*stages, *threads])
    if settings.replicas > 1:
        shape = f"{settings.replicas} replicas" + (f", each with {shape}" if shape else "")
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


def facts(settings: Settings, made: Made, weights: str, memory_mib: float) -> Facts:
    engine, several = made.effective, settings.replica_processes > 1
    devices = settings.replicas * settings.stages
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
            "peak_memory": f"{memory_mib:.0f} MiB" + f" (sum of {settings.replicas} replicas)" * several,
            "cpu": f"{cpu_model()}, {available_cores()} cores",
            "version_python": platform.python_version(),
            **packages,
        },
    )


def _or_not_there(number: int | None) -> str:
    return "n/a" if number is None else str(number)
