"""A driver configuration as a server serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends import registry
from backends.base import KeepingBackend
from driver.data import input_format, pixel_dtype
from driver.model import weights_of, weights_warnings
from measurement.configs import read_config
from measurement.machine import available_cores
from measurement.settings import Settings, requested, resolve
from models import InputSpec, Weights, input_spec
from serving.errors import ServingRefused

ROOT = Path(__file__).resolve().parents[1]

ENGINES = ("openvino", "onnxruntime")
"""Engines whose exports run without torch, which an instance need then not load."""

SIDE_BY_SIDE: Mapping[str, object] = {"replicas": 1, "device_iterations": 1, "streams": None}
"""A server's instances stand for replicas, and each computes one request at a time."""

HANDED_OVER: Mapping[str, object] = {"data": "generated", "warmup": 0}
"""An instance is handed the data of each request."""


@dataclass(frozen=True)
class ServedModel:
    """A configuration under its name at the server.

    `settings` are those of one instance; their micro-batch is the largest batch of a request. With
    `dynamic_batching_us`, the server waits so many microseconds for more requests to make one batch of.
    """

    name: str
    settings: Settings
    pixels: InputSpec
    weights: Weights
    instances: int
    dynamic_batching_us: int | None
    warnings: tuple[str, ...] = ()

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The sizes that the model is exported for: other batches are filled up to the next one."""
        return tuple(sorted({1, self.settings.micro_batch_size}))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what a request holds."""
        size = self.pixels.image_size
        return int(input_format(self.settings, self.pixels)["channels"]), size, size

    @property
    def image_bytes(self) -> int:
        channels, height, width = self.image_shape
        return channels * height * width * pixel_dtype(self.settings).itemsize

    def of_batch(self, size: int) -> Settings:
        """The settings of the executable for batches of this size."""
        return replace(self.settings, micro_batch_size=size)


def served_model(
    name: str,
    flags: Mapping[str, object],
    configuration: str | None = None,
    *,
    instances: int | None = None,
    dynamic_batching_us: int | None = None,
) -> ServedModel:
    """What the driver would run for `flags` on top of a `configuration` of configs.yml, made ready to be served.

    `instances` share the cores evenly; without it there is one a core, or one for as many cores as the configuration
    has `threads`, which without it are as many as an instance has cores. (resnet50, batch 8, two cores: two instances
    of one thread reach 0.97 to 1.0 of the driver, one with two threads and OpenVINO's throughput hint 0.5, as the
    requests of one instance are computed one after the other.)
    Raises `ServingRefused`, and what `resolve` raises, for what cannot be served.
    """
    config = read_config(ROOT / "configs.yml", configuration) if configuration else None
    device = requested("device", flags, config)
    if device not in ("auto", "cpu"):
        raise ServingRefused(f"{name}: device {device} is not served here: expected cpu; leave it out")
    backend = registry.choose(requested("backend", flags, config), "cpu")
    if backend.name not in ENGINES or not isinstance(backend, KeepingBackend):
        raise ServingRefused(
            f"--backend {backend.name}: it exports nothing that a server could load; give one of {', '.join(ENGINES)}"
        )
    asked: dict[str, Any] = {**(config.for_device("cpu") if config else {}), **flags}
    if asked.get("pipeline_splits"):
        raise ServingRefused(
            f"{name}: pipeline_splits are not served: models are exported whole; leave them out"
        )
    cores, threads = available_cores(), asked.get("threads")
    instances = instances or max(1, cores // (threads or 1))
    _require_cores(name, instances, threads, cores)
    given = {
        **flags,
        **({"config": configuration} if configuration else {}),
        **SIDE_BY_SIDE,
        **HANDED_OVER,
        "threads": threads or cores // instances,
    }
    settings, warnings = resolve(given, config, "cpu", backend.name)
    backend.check(settings)
    weights = weights_of(settings)
    told = (*_without_effect(name, asked), *warnings, *weights_warnings(settings, weights))
    return ServedModel(
        name, settings, input_spec(settings.model), weights, instances, dynamic_batching_us, told
    )


def _require_cores(name: str, instances: int, threads: int | None, cores: int) -> None:
    """Raises `ServingRefused` where an instance, or one of its threads, would have no core of its own."""
    if instances > cores:
        raise ServingRefused(
            f"--instances {instances}: each computes on cores of its own, and there are {cores}; "
            f"give {cores} or fewer"
        )
    own = cores // instances
    if threads is None or threads <= own:
        return
    if threads > cores:
        raise ServingRefused(
            f"{name}: threads {threads}: this process may use {cores} cores, and more threads than that would take "
            f"turns; give threads {_at_most(cores)}, or leave them out"
        )
    raise ServingRefused(
        f"{name}: threads {threads} with --instances {instances}: each instance has {own} of the {cores} cores; "
        f"give --instances {_at_most(cores // threads)}, or threads {_at_most(own)}"
    )


def _at_most(number: int) -> str:
    return f"{number} or fewer" if number > 1 else "1"


def _without_effect(name: str, asked: Mapping[str, Any]) -> tuple[str, ...]:
    idle = [f"{key} {asked[key]}" for key in SIDE_BY_SIDE if (asked.get(key) or 1) > 1]
    if not idle:
        return ()
    return (
        f"{name}: no effect at a server, whose instances (--instances) each compute one request at a time: "
        f"{', '.join(idle)}",
    )
