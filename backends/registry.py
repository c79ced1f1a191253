"""Which backend runs: by name, or `auto`, the first of a fixed order that is usable here."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from backends.base import Availability, Backend, BackendError

# name -> module; the module is imported, and with it the engine, only when the backend is asked for.
MODULES = {
    "openvino": "backends.openvino",
    "onnxruntime": "backends.onnxruntime",
    "torch": "backends.torch",
    "torch-compile": "backends.torch",
    "poptorch": "backends.poptorch",
}

# IPU and CUDA before the CPU: who has one means it. CUDA: inductor's kernels, which need no export, before
# eager ones. CPU, in 16 bits: only OpenVINO and torch use such arithmetic, and OpenVINO is the faster by 1.5
# to 6 times; in float32 OpenVINO and ONNX Runtime are within 10% of each other, and OpenVINO needs no ONNX
# export. So one order a device serves both precisions.
AUTO_ORDER = {
    "ipu": ("poptorch",),
    "cuda": ("torch-compile", "torch", "onnxruntime"),
    "cpu": ("openvino", "onnxruntime", "torch"),
}


# backend -> the distributions that may hold its engine
DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "torch-compile": ("torch",),
}


def choose(name: str, device: str = "auto", without: Mapping[str, str] | None = None) -> Backend:
    """The backend called `name` on `device` (`auto`, `cpu`, `cuda`, `ipu`).

    `auto` for the name is the first usable one of `AUTO_ORDER`, which for both is also that of the devices; `without`
    names backends that it passes over, each with the reason.
    Raises `BackendError` for an unknown name (with the near ones), for an engine that is not usable
    here (with what to install), and for a device that the engine does not run on.
    """
    if name == "auto":
        return _first_usable(_devices(device), without or {})
    if name not in MODULES:
        near = difflib.get_close_matches(name, [*MODULES, "auto"], n=2, cutoff=0.4)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise BackendError(
            f"--backend {name}: no such backend{meant} (there are: auto, {', '.join(MODULES)})"
        )
    backend = load(name, device)
    state = backend.available()
    if not state.usable:
        raise BackendError(f"--backend {name}: {state.reason}; {state.remedy}")
    return backend


def load(name: str, device: str = "auto") -> Backend:
    """The backend `name` of `MODULES`, usable or not."""
    if device == "ipu" and name not in AUTO_ORDER["ipu"]:
        raise BackendError(
            f"--device ipu: {name} does not run there; give --backend poptorch, or another device"
        )
    return cast(Backend, importlib.import_module(MODULES[name]).backend(name, device))


def auto_order(device: str) -> str:
    """The names that `auto` goes through on `device`, in its order and for a reader."""
    return "; ".join(f"{', '.join(AUTO_ORDER[kind])} ({kind})" for kind in _devices(device))


def alternative(name: str, device: str) -> str | None:
    """The first other backend of `AUTO_ORDER` that is usable on `device` (`cpu`, `cuda`, `ipu`), if there is one."""
    others = (other for other in AUTO_ORDER.get(device, ()) if other != name)
    return next((other for other in others if load(other, device).available().usable), None)


def engine_version(name: str) -> str:
    """The version of the engine's installed distribution; empty where none is installed."""
    for distribution in DISTRIBUTIONS.get(name, (name,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return ""


def _first_usable(devices: Sequence[str], without: Mapping[str, str]) -> Backend:
    refused: dict[str, Availability] = {}
    for device in devices:
        for name in AUTO_ORDER[device]:
            if name in without:
                refused[f"{name} on {device}"] = Availability(
                    False, without[name], f"--backend {name} tries it again"
                )
                continue
            backend = load(name, device)
            state = backend.available()
            if state.usable and not state.device_absent:
                return backend
            refused[f"{name} on {device}"] = state
    reasons = "; ".join(f"{what}: {state.reason} ({state.remedy})" for what, state in refused.items())
    raise BackendError(
        "--backend auto: no backend is usable here; those of a CPU are in the environment that `make setup` makes "
        f"(. .venv/bin/activate). Each in turn: {reasons}"
    )


def _devices(device: str) -> Sequence[str]:
    return [device] if device != "auto" else list(AUTO_ORDER)
