"""The key of an exported model: a digest of everything that it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.base import Batch
from measurement.machine import available_cores, cpu_features, cpu_model
from measurement.settings import Settings

# Settings that no exported model depends on. All others are part of the key: a new option can at worst cause an
# unnecessary export, but never return the wrong model.
NOT_IN_THE_MODEL = frozenset(
    {
        "config",  # its values are in the key
        "origin",
        "weights",  # their content is in the key
        "data",
        "images",
        "labels",
        "cache_images",
        "dataloader_worker",
        "dataloader_rebatch_size",
        "device_iterations",
        "replicas",
        "iterations",
        "duration_s",
        "warmup",
        "backend_requested",  # what it became is in the key
        "threads",
        "streams",
        "model_cache_path",
        "compile_only",
        "profile",
        "profile_path",
    }
)

# What builds, exports and compiles models; the packages for CUDA have names of their own.
PACKAGES = (
    "torch",
    "timm",
    "safetensors",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
)


def artefact_key(
    settings: Settings, example: Batch, model: Mapping[str, str], also: tuple[str, ...] = ()
) -> str:
    """SHA-256, in hexadecimal, of everything that the exported model depends on.

    Args:
        model: What the settings do not contain, such as digests of the weights and of our own code.
        also: Settings of `NOT_IN_THE_MODEL` that count for this backend nevertheless.
    """
    named = {field.name for field in fields(settings)} - (NOT_IN_THE_MODEL - set(also))
    known = {
        "settings": {name: str(getattr(settings, name)) for name in named},
        "model": dict(model),
        "input": [list(example.shape), str(example.dtype)],
        # Settling random weights runs the model, and sums over several threads may differ in the last bit: hence
        # the cores.
        "cpu": [cpu_model(), sorted(cpu_features()), available_cores()],
        "packages": {name: _version(name) for name in PACKAGES},
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def source_digest(*places: Path) -> str:
    """SHA-256 of the Python sources in these files and folders: other code may build another model."""
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{file.relative_to(place.parent)}\0".encode())
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
