"""A driver configuration, prepared for serving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends import registry
from backends.base import KeepingBackend
from driver.data import input_format
from driver.inputs import image_lines, weights_line
from driver.model import weights_of, weights_warnings
from measurement.configs import read_config
from measurement.machine import available_cores
from measurement.settings import Settings, requested, resolve
from models import InputSpec, Weights, input_with
from serving.errors import ServingRefused

if TYPE_CHECKING:
    from datasets.images import ImageSet

ROOT = Path(__file__).resolve().parents[1]

ENGINES = ("openvino", "onnxruntime")
"""Engines whose exports run without torch, so that an instance need not load it."""

ONE_REQUEST: Mapping[str, object] = {"replicas": 1, "device_iterations": 1, "streams": None}
"""A server's instances replace replicas, and each computes one request at a time."""

FROM_REQUESTS: Mapping[str, object] = {"data": "generated", "warmup": 0}
"""An instance gets its data from requests."""


@dataclass(frozen=True)
class ServedModel:
    """A configuration and its name at the server.

    `settings` are those of one instance; their micro-batch is the largest batch of a request. With
    `dynamic_batching_us`, the server waits that many microseconds for more requests to combine into one batch. `inputs`
    are the report lines that identify the weights, and the images once they are known.
    """

    name: str
    settings: Settings
    pixels: InputSpec
    weights: Weights
    instances: int
    dynamic_batching_us: int | None
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes for which the model is exported: others are padded to the next larger one."""
        return tuple(sorted({1, self.settings.micro_batch_size}))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images in a request."""
        size = self.pixels.image_size
        return int(input_format(self.settings, self.pixels)["channels"]), size, size

    def with_images(self, images: ImageSet, folder: Path) -> ServedModel:
        """The same with the lines that identify these images of `folder`."""
        return replace(self, inputs={**image_lines(images, folder), **self.inputs})

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
    """Prepares what the driver would run for `flags` on top of a `configuration` of configs.yml.

    `instances` share the cores equally; the default is one per core, or one per `threads` cores if the configuration
    sets them. The default for `threads` is the number of cores of an instance. (resnet50, batch 8, two cores: two
    instances of one thread reach 0.97 to 1.0 of the driver's throughput, one with two threads and OpenVINO's throughput
    hint 0.5, as an instance computes its requests one at a time.)
    Raises `ServingRefused`, and what `resolve` raises, for what cannot be served.
    """
    config = read_config(ROOT / "configs.yml", configuration) if configuration else None
    device = requested("device", flags, config)
    if device not in ("auto", "cpu"):
        raise ServingRefused(
            f"{name}: device {device} is not supported for serving: expected cpu; leave it out"
        )
    backend = registry.choose(requested("backend", flags, config), "cpu")
    if backend.name not in ENGINES or not isinstance(backend, KeepingBackend):
        raise ServingRefused(
            f"--backend {backend.name}: exports nothing that a server could load; give one of {', '.join(ENGINES)}"
        )
    asked: dict[str, Any] = {**(config.for_device("cpu") if config else {}), **flags}
    if asked.get("pipeline_splits"):
        raise ServingRefused(
            f"{name}: pipeline_splits are not supported for serving: models are exported whole; leave them out"
        )
    cores, threads = available_cores(), asked.get("threads")
    instances = instances or max(1, cores // (threads or 1))
    _require_cores(name, instances, threads, cores)
    given = {
        **flags,
        **({"config": configuration} if configuration else {}),
        **ONE_REQUEST,
        **FROM_REQUESTS,
        "threads": threads or cores // instances,
    }
    settings, warnings = resolve(given, config, "cpu", backend.name)
    backend.check(settings)
    weights = weights_of(settings)
    all_warnings = (*_without_effect(name, asked), *warnings, *weights_warnings(settings, weights))
    return ServedModel(
        name,
        settings,
        input_with(settings.model, weights),
        weights,
        instances,
        dynamic_batching_us,
        all_warnings,
        weights_line(weights),
    )


def _require_cores(name: str, instances: int, threads: int | None, cores: int) -> None:
    """Raises `ServingRefused` if an instance, or one of its threads, would have no core of its own."""
    if instances > cores:
        raise ServingRefused(
            f"--instances {instances}: each needs a core of its own, and there are {cores}; "
            f"give {cores} or fewer"
        )
    own = cores // instances
    if threads is None or threads <= own:
        return
    if threads > cores:
        raise ServingRefused(
            f"{name}: threads {threads}: this process may use {cores} cores, and more threads than that would share "
            f"cores; give threads {_at_most(cores)}, or leave them out"
        )
    raise ServingRefused(
        f"{name}: threads {threads} with --instances {instances}: each instance has {own} of the {cores} cores; "
        f"give --instances {_at_most(cores // threads)}, or threads {_at_most(own)}"
    )


def _at_most(number: int) -> str:
    return f"{number} or fewer" if number > 1 else "1"


def _without_effect(name: str, asked: Mapping[str, Any]) -> tuple[str, ...]:
    idle = [f"{key} {asked[key]}" for key in ONE_REQUEST if (asked.get(key) or 1) > 1]
    if not idle:
        return ()
    return (
        f"{name}: no effect in a server, whose instances (--instances) each compute one request at a time: "
        f"{', '.join(idle)}",
    )
