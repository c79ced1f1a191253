"""Which backend runs: by name, or `auto`, the first of a fixed order that is usable here."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import cast

from backends.base import Availability, Backend, BackendError

# name -> module; the module is imported, and with it the engine, only when the backend is asked for.
MODULES = {
    "openvino": "backends.openvino",
    "onnxruntime": "backends.onnxruntime",
    "torch": "backends.torch",
}

# On CPUs with 16-bit arithmetic only OpenVINO and torch use it, and OpenVINO is the faster by 1.5 to 6 times;
# in float32 OpenVINO and ONNX Runtime are within 10% of each other, and OpenVINO starts without an ONNX export.
AUTO_ORDER = ("openvino", "onnxruntime", "torch")


def choose(name: str, order: Sequence[str] = AUTO_ORDER) -> Backend:
    """The backend called `name`; for `auto` the first usable one of `order`.

    Raises `BackendError` for an unknown name (with the near ones), and for an engine that is not
    usable here (with what to install).
    """
    if name == "auto":
        return _first_usable(order)
    if name not in MODULES:
        near = difflib.get_close_matches(name, [*MODULES, "auto"], n=2, cutoff=0.4)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise BackendError(
            f"--backend {name}: no such backend{meant} (there are: auto, {', '.join(MODULES)})"
        )
    backend = load(name)
    state = backend.available()
    if not state.usable:
        raise BackendError(f"--backend {name}: {state.reason}; {state.remedy}")
    return backend


def load(name: str) -> Backend:
    """The backend `name` of `MODULES`, usable or not."""
    return cast(Backend, importlib.import_module(MODULES[name]).BACKEND)


def _first_usable(order: Sequence[str]) -> Backend:
    refused: dict[str, Availability] = {}
    for name in order:
        backend = load(name)
        refused[name] = backend.available()
        if refused[name].usable:
            return backend
    reasons = "; ".join(f"{name}: {state.reason} ({state.remedy})" for name, state in refused.items())
    raise BackendError(f"--backend auto: no backend is usable here: {reasons}")
