"""Selects the backend: by name, or `auto`, the first usable one in a fixed order."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import cast

from backends.base import Availability, Backend, BackendError

# name -> module, which is imported only when the backend is requested.
MODULES = {
    "openvino": "backends.openvino",
    "onnxruntime": "backends.onnxruntime",
    "torch": "backends.torch",
    "torch-compile": "backends.torch",
    "poptorch": "backends.poptorch",
}

# IPU and CUDA before the CPU: a machine that has one is meant to use it. CUDA: inductor's kernels, which need no
# export, before eager ones. CPU, in 16 bits: only OpenVINO and torch use such arithmetic, and OpenVINO is 1.5 to 6
# times faster; in float32 OpenVINO and ONNX Runtime are within 10% of each other, and OpenVINO needs no ONNX export. So
# one order per device serves both precisions.
AUTO_ORDER = {
    "ipu": ("poptorch",),
    "cuda": ("torch-compile", "torch", "onnxruntime"),
    "cpu": ("openvino", "onnxruntime", "torch"),
}


# backend -> the distributions that may contain its engine
DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "torch-compile": ("torch",),
}


def choose(name: str, device: str = "auto", without: Mapping[str, str] | None = None) -> Backend:
    """The backend called `name` on `device` (`auto`, `cpu`, `cuda`, `ipu`).

    `name` `auto` selects the first usable backend in `AUTO_ORDER`; `device` `auto` tries the devices in that order.

    Args:
        without: Backends that `auto` passes over, each with the reason.

    Raises:
        BackendError: The name is unknown, the engine is not usable, or it does not run on the device.
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
    """The backends that `auto` tries on `device`, in order, as text."""
    return "; ".join(f"{', '.join(AUTO_ORDER[kind])} ({kind})" for kind in _devices(device))


def alternative(name: str, device: str) -> str | None:
    """The first other usable backend in `AUTO_ORDER` on `device` (`cpu`, `cuda`, `ipu`), or None."""
    others = (other for other in AUTO_ORDER.get(device, ()) if other != name)
    return next((other for other in others if load(other, device).available().usable), None)


def engine_version(name: str) -> str:
    """The version of the engine's installed distribution; empty if none is installed."""
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
                    False, without[name], f"--backend {name} retries it"
                )
                continue
            backend = load(name, device)
            state = backend.available()
            # On the one device requested, the engine explains more, and may compile without it.
            if state.usable and (not state.device_absent or len(devices) == 1):
                return backend
            refused[f"{name} on {device}"] = state
    reasons = "; ".join(f"{what}: {state.reason} ({state.remedy})" for what, state in refused.items())
    raise BackendError(
        "--backend auto: no backend is usable; `make setup` installs those for the CPU into .venv "
        f"(. .venv/bin/activate). Reasons: {reasons}"
    )


def _devices(device: str) -> Sequence[str]:
    return [device] if device != "auto" else list(AUTO_ORDER)
