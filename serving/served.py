"""A driver configuration as a server serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

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

SERVED_ALONE: Mapping[str, object] = {"replicas": 1, "device_iterations": 1, "data": "generated", "warmup": 0}
"""A server's instances stand for replicas, and each answers one request at a time, whose data it is handed."""


@dataclass(frozen=True)
class Served:
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


def served(
    name: str,
    flags: Mapping[str, object],
    configuration: str | None = None,
    *,
    instances: int | None = None,
    dynamic_batching_us: int | None = None,
) -> Served:
    """What the driver would run for `flags` on top of a `configuration` of configs.yml, made ready to be served.

    `instances` share the cores evenly; without it there is one a core, with one thread. (resnet50, batch 8, two
    cores: two instances of one thread reach 0.97 to 1.0 of the driver, one with two threads and OpenVINO's
    throughput hint 0.5, as the requests of one instance are computed one after the other.)
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
    cores = available_cores()
    instances = instances or cores
    if instances > cores:
        raise ServingRefused(
            f"--instances {instances}: each computes on cores of its own, and there are {cores}; "
            f"give {cores} or fewer"
        )
    given = {
        **flags,
        **({"config": configuration} if configuration else {}),
        **SERVED_ALONE,
        "threads": cores // instances,
    }
    settings, warnings = resolve(given, config, "cpu", backend.name)
    if settings.pipeline_splits:
        raise ServingRefused(
            f"{name}: pipeline_splits are not served: models are exported whole; leave them out"
        )
    backend.check(settings)
    weights = weights_of(settings)
    told = (*warnings, *weights_warnings(settings, weights))
    return Served(name, settings, input_spec(settings.model), weights, instances, dynamic_batching_us, told)
