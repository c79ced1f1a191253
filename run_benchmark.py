#!/usr/bin/env python3
"""Measures the inference throughput and latency of one image-classification configuration."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from backends import registry
from backends.base import BackendError, Batch, Effective, EngineError, engine_errors
from datasets.errors import DataError
from measurement.configs import ConfigError, read_config
from measurement.loop import measure
from measurement.machine import available_cores, cpu_model
from measurement.options import parse_flags
from measurement.progress import live_output
from measurement.report import Facts, summary
from measurement.settings import Settings, SettingsError, requested, resolve
from models import (
    BuiltModel,
    EfficientNetOptions,
    InputSpec,
    ModelError,
    NormOptions,
    build_model,
    input_spec,
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
    except (SettingsError, ConfigError, BackendError, ModelError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the run is not complete, so there are no figures", file=sys.stderr)
        return 130
    return 0


def run(flags: Mapping[str, object]) -> None:
    """Settings, then photographs, model and engine, then the measurement, then the report."""
    config = read_config(ROOT / "configs.yml", str(flags["config"])) if "config" in flags else None
    backend = registry.choose(requested("backend", flags, config))
    settings, warnings = resolve(flags, config, backend.device_kind, backend.name)
    backend.check(settings)
    pixels = input_spec(settings.model)
    warn(*warnings)

    images = photographs(settings)
    start_s = time.perf_counter()
    built = build(settings)
    build_s = time.perf_counter() - start_s
    with engine_errors(backend.name):
        start_s = time.perf_counter()
        executable = backend.compile(with_input(built, settings), example_batch(settings, pixels), settings)
        compile_s = time.perf_counter() - start_s
        print(effective_line(executable.effective, settings, built.weights), flush=True)
        with (
            closing(executable),
            open_source(settings, pixels, images, built.weights) as source,
            live_output(settings) as on_call,
        ):
            measurement = measure(executable, source, settings, on_call)
    if source.decode_errors:
        warn(f"{source.decode_errors} images turned bad during the run; their successors took their place")
    if measurement.not_finite:
        warn(
            f"{measurement.not_finite} outputs are NaN or infinite: the figures are of a model that does not work"
        )
    print(
        summary(
            settings, measurement, facts(settings, executable.effective, built.weights, build_s, compile_s)
        )
    )


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


def build(settings: Settings) -> BuiltModel:
    built = build_model(
        settings.model,
        weights=settings.weights,
        norm=NormOptions(
            cast("NormKind", settings.norm_type),
            settings.norm_eps,
            settings.norm_num_groups,
            settings.batchnorm_momentum,
        ),
        efficientnet=EfficientNetOptions(settings.efficientnet_expand_ratio, settings.efficientnet_group_dim),
    )
    warn(*built.warnings)
    return built


def with_input(built: BuiltModel, settings: Settings) -> torch.nn.Module:
    """The module that takes what the source hands out: raw pixels are turned into numbers inside it."""
    from models.surgery import normalize_in_model

    eight_bit, pixels = settings.eight_bit_io, built.input_spec
    if settings.normalization_location == "ipu":
        return normalize_in_model(built.module, pixels.mean, pixels.std, eight_bit=eight_bit)
    if eight_bit:
        return normalize_in_model(built.module, (0.0,) * 3, (1.0,) * 3, eight_bit=True)
    return built.module


def example_batch(settings: Settings, pixels: InputSpec) -> Batch:
    """A micro-batch of the right shape and dtype, with the pixels of generated data."""
    from datasets.sources import generated

    with generated(**input_format(settings, pixels)) as source:
        return source.next().micro_batches[0]


def open_source(settings: Settings, pixels: InputSpec, images: ImageSet | None, weights: str) -> Source:
    """Where host calls come from. Random weights have no top-1, so they are not given the labels."""
    from datasets.sources import cached, generated, streaming

    layout = input_format(settings, pixels)
    if images is None:
        return generated(**layout)
    if weights == "random":
        images = replace(images, labels=(None,) * len(images.paths))
    workers = settings.dataloader_worker or available_cores()
    open_real = cached if settings.cache_images else streaming
    return open_real(images, interpolation=pixels.interpolation, workers=workers, **layout)


def input_format(settings: Settings, pixels: InputSpec) -> dict[str, Any]:
    """Shape and dtype of the host calls, as the sources take them."""
    on_host = settings.normalization_location == "host"
    return {
        "image_size": pixels.image_size,
        "micro_batch_size": settings.micro_batch_size,
        "device_iterations": settings.device_iterations,
        "dtype": np.dtype(np.uint8 if settings.eight_bit_io else np.float32),
        "normalize": (pixels.mean, pixels.std) if on_host else None,
    }


def effective_line(engine: Effective, settings: Settings, weights: str) -> str:
    """What really runs, in one line before the figures."""
    return (
        f"Running {settings.model} ({weights} weights) on {engine.engine} {engine.version}, {engine.device}: "
        f"{engine.dtype}, {engine.threads} threads, {engine.streams} streams; {settings.data} data, "
        f"micro-batch {settings.micro_batch_size}, {settings.device_iterations} device iterations"
    )


def facts(settings: Settings, engine: Effective, weights: str, build_s: float, compile_s: float) -> Facts:
    packages = {f"version_{name}": version(name) for name in ("torch", "torchvision", "timm", "numpy")}
    origin = settings.origin["backend"]
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Facts(
        dtype=engine.dtype,
        num_ipus=0,
        num_devices=settings.replicas,
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
            "replicas": str(settings.replicas),
            "weights": weights,
            "normalization_location": settings.normalization_location,
            "eight_bit_io": str(settings.eight_bit_io).lower(),
            **engine.details,
            "build_time": f"{build_s:.2f} s",
            "compile_time": f"{compile_s:.2f} s",
            "peak_memory": f"{peak_kib / 1024:.0f} MiB",
            "cpu": f"{cpu_model()}, {available_cores()} cores",
            "version_python": platform.python_version(),
            **packages,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
