#!/usr/bin/env python3
"""Measures the inference throughput and latency of one image-classification configuration."""

from __future__ import annotations

import platform
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from backends import registry
from backends.artefact_key import source_digest
from backends.base import (
    Backend,
    BackendError,
    Batch,
    Effective,
    EngineError,
    Executable,
    ProfilingExecutable,
    engine_errors,
)
from backends.compilation import Compilation, compile_model
from backends.model_cache import open_cache
from backends.pipeline import Pipelined
from backends.profiling.profile import PROFILED_MICRO_BATCHES, table, trace_path, write_trace
from datasets.errors import DataError, MemoryShortage
from measurement.configs import ConfigError, read_config
from measurement.errors import ReplicaError, SettingsError
from measurement.loop import Measurement, measure
from measurement.machine import available_cores, core_shares, cores_in_use, cpu_model
from measurement.options import parse_flags
from measurement.progress import live_output
from measurement.replica_link import Link
from measurement.replicas import run_replicas
from measurement.report import Facts, compile_summary, summary
from measurement.settings import Settings, requested, resolve
from measurement.window import within_window
from models import (
    BuiltModel,
    EfficientNetOptions,
    InputSpec,
    ModelError,
    NormOptions,
    Weights,
    build_with,
    find_weights,
    input_spec,
    weights_digest,
)

if TYPE_CHECKING:
    import torch

    from datasets.images import ImageSet
    from datasets.sources import Source
    from models.options import NormKind

ROOT = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """One run, from flags to report lines.

    Exit code 0; 1 where the engine failed; 2 where the request was wrong; 130 after Ctrl-C.
    """
    flags = parse_flags(argv, "run_benchmark.py", __doc__ or "")
    try:
        run(flags)
    except (EngineError, ReplicaError, MemoryShortage) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (SettingsError, ConfigError, BackendError, ModelError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the run is not complete, so there are no figures", file=sys.stderr)
        return 130
    return 0


def run(flags: Mapping[str, object]) -> None:
    """Settings, then photographs, model and engine, then the measurement, then the report."""
    config = read_config(ROOT / "configs.yml", str(flags["config"])) if "config" in flags else None
    chosen = registry.choose(requested("backend", flags, config), requested("device", flags, config))
    settings, warnings = resolve(flags, config, chosen.device_kind, chosen.name)
    backend_of(settings).check(settings)
    pixels = input_spec(settings.model)
    warn(*warnings)
    if settings.list_layers:
        print(*layers(settings), sep="\n")
        return

    if settings.model_cache_path:
        open_cache(settings.model_cache_path)  # refused before anything costly is done
    trace = trace_path(settings) if settings.profile else None
    images = None if settings.compile_only else photographs(settings)
    weights = weights_of(settings)
    if settings.replicas > 1 and not settings.compile_only:
        report(settings, weights, *measured_by_replicas(settings, images, weights))
        return
    compiled = compiled_model(settings, pixels, weights)
    made = Made.of(compiled)
    announce(settings, weights, [made])
    with (
        closing(compiled.executable) as executable,
        engine_errors(settings, micro_batch_bytes(settings, pixels)),
    ):
        if settings.compile_only:
            print(compile_summary(settings, facts(settings, made, weights.kind, peak_mib())))
            return
        with (
            open_source(settings, pixels, images, weights.kind) as source,
            live_output(settings) as on_call,
        ):
            measurement = measure(executable, source, settings, on_call)
        report(settings, weights, made, Found(measurement, source.decode_errors, peak_mib()))
        if trace:
            print(profiled(executable, example_batch(settings, pixels), settings, trace))


@dataclass(frozen=True)
class Made:
    """How a process came to its executable: plain values, which a replica sends to its parent."""

    effective: Effective
    model_cache: str
    build_s: float
    compile_s: float
    warnings: tuple[str, ...]

    @staticmethod
    def of(compiled: Compilation) -> Made:
        return Made(
            compiled.executable.effective,
            compiled.model_cache,
            compiled.build_s,
            compiled.compile_s,
            compiled.warnings,
        )


@dataclass(frozen=True)
class Found:
    """What a process found out with it; of replicas, what they found together."""

    measurement: Measurement
    decode_errors: int
    peak_mib: float


def measured_by_replicas(settings: Settings, images: ImageSet | None, weights: Weights) -> tuple[Made, Found]:
    """What the replicas found in the window in which all were running, and how the first was made."""
    made: list[Made] = []

    def ready(parts: Sequence[Made]) -> None:
        made.extend(parts)
        announce(settings, weights, parts)

    with live_output(settings) as on_call:
        found: list[Found] = run_replicas(
            partial(replica, settings, images, weights),
            core_shares(cores_in_use(), settings.replicas),
            settings,
            ready,
            on_call,
        )
    together = within_window([part.measurement for part in found], settings.iterations)
    errors, memory = sum(part.decode_errors for part in found), sum(part.peak_mib for part in found)
    return made[0], Found(together, errors, memory)


def replica(settings: Settings, images: ImageSet | None, weights: Weights, link: Link) -> Found:
    """One replica's process, from its own model to its own figures."""
    pixels = input_spec(settings.model)
    compiled = compiled_model(settings, pixels, weights)
    with (
        closing(compiled.executable) as executable,
        engine_errors(settings, micro_batch_bytes(settings, pixels)),
    ):
        with open_source(settings, pixels, images, weights.kind, link.rank, link.world_size) as source:
            link.begin(Made.of(compiled))
            measurement = measure(executable, source, settings, link.on_call, ended=link.ended)
        return Found(measurement, source.decode_errors, peak_mib())


def backend_of(settings: Settings) -> Backend:
    """The engine, which runs the model whole or in stages."""
    backend = registry.choose(settings.backend, settings.device)
    if not settings.pipeline_splits:
        return backend

    def in_stages(module: torch.nn.Module) -> Sequence[torch.nn.Module]:
        from models.surgery import split

        return split(module, settings.pipeline_splits)

    return Pipelined(backend, in_stages)


def compiled_model(settings: Settings, pixels: InputSpec, weights: Weights) -> Compilation:
    cache = open_cache(settings.model_cache_path) if settings.model_cache_path else None
    return compile_model(
        backend_of(settings),
        lambda: build(settings, weights),
        example_batch(settings, pixels),
        settings,
        cache,
        identity(weights),
    )


def layers(settings: Settings) -> Sequence[str]:
    """The names that `--pipeline-splits` takes; they do not depend on the weights."""
    from models.surgery import list_layers

    return list_layers(build(settings, Weights("random"))[0])


def announce(settings: Settings, weights: Weights, made: Sequence[Made]) -> None:
    """What really runs, before the figures; replicas are all made alike, and so are their warnings."""
    warn(*dict.fromkeys(line for part in made for line in part.warnings))
    print(effective_line(made[0].effective, settings, weights.kind), flush=True)


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


def warn(*lines: str) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr, flush=True)


def photographs(settings: Settings) -> ImageSet | None:
    """The images of a run on real data, found before anything costly is done."""
    if settings.data != "real":
        return None
    from datasets.images import find_images

    default = settings.origin["images"] == "default"
    images = find_images(ROOT / settings.images if default else settings.images, settings.labels)
    warn(*images.warnings)
    return images


def weights_of(settings: Settings) -> Weights:
    """The weights of the run, found before the model is built."""
    weights = find_weights(settings.model, settings.weights, norm_options(settings), block_options(settings))
    warn(*weights.warnings)
    return weights


def build(settings: Settings, weights: Weights) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The model, ready for its input, and the warnings to print."""
    built = build_with(
        weights, settings.model, norm=norm_options(settings), efficientnet=block_options(settings)
    )
    return with_input(built, settings), built.warnings


def norm_options(settings: Settings) -> NormOptions:
    return NormOptions(
        cast("NormKind", settings.norm_type),
        settings.norm_eps,
        settings.norm_num_groups,
        settings.batchnorm_momentum,
    )


def block_options(settings: Settings) -> EfficientNetOptions:
    return EfficientNetOptions(settings.efficientnet_expand_ratio, settings.efficientnet_group_dim)


def identity(weights: Weights) -> Callable[[], Mapping[str, str]]:
    """What tells one model from another beside the settings; found out only if a cache asks."""
    return lambda: {
        "weights": f"{weights.kind.partition(':')[0]} {weights_digest(weights)}",
        "code": source_digest(ROOT / "models", ROOT / "backends", Path(__file__).resolve()),
    }


def with_input(built: BuiltModel, settings: Settings) -> torch.nn.Module:
    """The module that takes what the source hands out: raw pixels are turned into numbers inside it."""
    from models.surgery import normalize_in_model, pad_input_channels

    module = pad_input_channels(built.module) if settings.input_image_padding else built.module
    eight_bit, pixels = settings.eight_bit_io, built.input_spec
    if settings.normalization_location == "ipu":
        return normalize_in_model(module, pixels.mean, pixels.std, eight_bit=eight_bit)
    if eight_bit:
        return normalize_in_model(module, (0.0,) * 3, (1.0,) * 3, eight_bit=True)
    return module


def example_batch(settings: Settings, pixels: InputSpec) -> Batch:
    """A micro-batch of the right shape and dtype, with the pixels of generated data."""
    from datasets.sources import generated

    with generated(**input_format(settings, pixels)) as source:
        return source.next().micro_batches[0]


def open_source(
    settings: Settings,
    pixels: InputSpec,
    images: ImageSet | None,
    weights: str,
    rank: int = 0,
    world_size: int = 1,
) -> Source:
    """Where host calls come from. Random weights have no top-1, so they are not given the labels."""
    from datasets.sources import cached, generated, streaming

    layout = input_format(settings, pixels)
    if images is None:
        return generated(**layout)
    if weights == "random":
        images = replace(images, labels=(None,) * len(images.paths))
    workers = settings.dataloader_worker or available_cores()
    share = {"rank": rank, "world_size": world_size}
    real = {"interpolation": pixels.interpolation, "workers": workers, **share, **layout}
    if settings.cache_images:
        return cached(images, **real)
    return streaming(images, images_at_a_time=settings.dataloader_rebatch_size or 1, **real)


def input_format(settings: Settings, pixels: InputSpec) -> dict[str, Any]:
    """Shape and dtype of the host calls, as the sources take them."""
    on_host = settings.normalization_location == "host"
    return {
        "image_size": pixels.image_size,
        "channels": 4 if settings.input_image_padding else 3,
        "micro_batch_size": settings.micro_batch_size,
        "device_iterations": settings.device_iterations,
        "dtype": np.dtype(np.uint8 if settings.eight_bit_io else np.float32),
        "normalize": (pixels.mean, pixels.std) if on_host else None,
    }


def micro_batch_bytes(settings: Settings, pixels: InputSpec) -> int:
    """What the pixels of one micro-batch take in memory."""
    layout = input_format(settings, pixels)
    values = settings.micro_batch_size * int(layout["channels"]) * pixels.image_size**2
    return values * int(layout["dtype"].itemsize)


def effective_line(engine: Effective, settings: Settings, weights: str) -> str:
    """What really runs, in one line before the figures."""
    replicas = f"{settings.replicas} replicas, each with " if settings.replicas > 1 else ""
    stages = f"{settings.stages} stages, " if settings.stages > 1 else ""
    return (
        f"Running {settings.model} ({weights} weights) on {engine.engine} {engine.version}, {engine.device}: "
        f"{engine.dtype}, {replicas}{stages}{engine.threads} threads, {engine.streams} streams; {settings.data} data, "
        f"micro-batch {settings.micro_batch_size}, {settings.device_iterations} device iterations"
    )


def profiled(executable: Executable, example: Batch, settings: Settings, trace: Path) -> str:
    """The most expensive layers, from host calls of their own; all of them as a trace in the file `trace`."""
    if not isinstance(executable, ProfilingExecutable):
        raise BackendError(f"--profile: {settings.backend} has no profiler; leave the option out")
    host_calls = -(-PROFILED_MICRO_BATCHES // settings.device_iterations)
    profile = executable.profile([example] * settings.device_iterations, host_calls)
    write_trace(profile, trace)
    return (
        f"\nProfile of {profile.micro_batches} micro-batches in host calls of their own, after the measured ones "
        f"(profiling costs time; the figures above are without it); trace: {trace}\n\n{table(profile)}"
    )


def peak_mib() -> float:
    """The most memory that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def facts(settings: Settings, made: Made, weights: str, memory_mib: float) -> Facts:
    engine, several = made.effective, settings.replicas > 1
    packages = {f"version_{name}": version(name) for name in ("torch", "torchvision", "timm", "numpy")}
    origin = settings.origin["backend"]
    return Facts(
        dtype=engine.dtype,
        num_ipus=0,
        num_devices=settings.replicas * settings.stages,
        details={
            "configuration": settings.config or "none",
            "backend": f"{engine.engine} {engine.version}",
            "backend_requested": "auto" if origin == "default" else settings.backend,
            "device": engine.device,
            "precision_requested": settings.precision,
            "precision_effective": engine.dtype,
            "threads": str(engine.threads),
            "streams": str(engine.streams),
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


if __name__ == "__main__":
    sys.exit(main())
