"""One instance of a served model, in a process of the server's Python backend: our backend on a cached export."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from backends import registry
from backends.base import Executable, KeepingBackend
from backends.compilation import cache_name
from backends.model_cache import ModelCache
from driver.telemetry import switch_off
from measurement.machine import core_shares, cores_in_use
from measurement.settings import DROPPED_HOST_CALLS, Settings
from serving.errors import ServingError
from serving.model_config import settings_from_text

READY = "serving instance ready: "
"""The prefix of the JSON line that an instance prints to the server's log."""

_DTYPES: dict[str, np.dtype[Any]] = {"TYPE_UINT8": np.dtype(np.uint8), "TYPE_FP32": np.dtype(np.float32)}


class Instance:
    """Answers requests of any size up to the largest, with the smallest executable that is large enough.

    Copies pixels into one fixed array, which the engine reads in place: executables cache each array that is passed to
    them, and the server's arrays are new for each request.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], name: str) -> None:
        switch_off()
        given = {key: value["string_value"] for key, value in config["parameters"].items()}
        cores = own_cores(name, int(given["instances"]))
        os.sched_setaffinity(0, cores)  # before the engine counts cores and starts its threads
        settings = settings_from_text(given["settings"])
        backend = registry.choose(settings.backend, settings.device)
        assert isinstance(backend, KeepingBackend)
        backend.load()
        image = config["input"][0]
        shape, dtype = tuple(map(int, image["dims"])), _DTYPES[image["data_type"]]
        self._open = ExitStack()
        self._compiled: dict[int, tuple[Executable, NDArray[Any]]] = {}
        for size, key in sorted((int(size), key) for size, key in json.loads(given["exports"]).items()):
            staging = np.zeros((size, *shape), dtype)
            executable = _restored(backend, folder, key, staging, replace(settings, micro_batch_size=size))
            self._compiled[size] = self._open.enter_context(closing(executable)), staging
            for _ in range(1 + DROPPED_HOST_CALLS):  # engines still allocate memory in their first runs
                executable.run([staging])
        effective = asdict(executable.effective)
        facts = {"model": config["name"], "instance": name, "cores": sorted(cores), "effective": effective}
        # In one call: other instances write to the same log.
        sys.stdout.write(f"{READY}{json.dumps(facts)}\n")
        sys.stdout.flush()

    def answers(self, pixels: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Logits `(images, classes)` of each request, `pixels[i]` being `(images, channels, height, width)`.

        Computes requests that the server passes together as one batch.
        """
        ends = np.cumsum([len(images) for images in pixels])
        total = int(ends[-1])
        size = min((size for size in self._compiled if size >= total), default=0)
        if not size:
            raise ServingError(f"{total} images at once, but at most {max(self._compiled)} are supported")
        executable, staging = self._compiled[size]
        np.concatenate(pixels, out=staging[:total])
        outputs = executable.run([staging]).outputs[0, :total]
        # A copy: the executable writes the next answers to the same place.
        return [part.astype(np.float32) for part in np.split(outputs, ends[:-1])]

    def close(self) -> None:
        """Releases threads and memory of the engine."""
        self._open.close()


def own_cores(name: str, instances: int) -> tuple[int, ...]:
    """The cores of the instance `name` (`MODEL_GROUP_NUMBER`); all if there are too few to share."""
    cores, number = cores_in_use(), re.search(r"_(\d+)$", name)
    if number is None or int(number[1]) >= instances or instances > len(cores):
        return cores
    return core_shares(cores, instances)[int(number[1])]


def _restored(
    backend: KeepingBackend, folder: Path, key: str, example: NDArray[Any], settings: Settings
) -> Executable:
    cache = ModelCache(folder)
    entry = cache.read(cache_name(settings), key)
    if entry is None:
        raise ServingError(
            f"{cache.path(cache_name(settings), key)} is missing: run the tests again, which export it"
        )
    return backend.restore(entry.artefact, _no_model, example, settings)


def _no_model() -> NoReturn:
    raise ServingError("an instance builds no model: it loads the export")
