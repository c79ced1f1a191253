"""A per-layer profile of any engine: its table and its trace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from backends.writable_folder import make_writable
from measurement.settings import Settings

TraceEvent: TypeAlias = "Mapping[str, Any]"
"""An event of the Trace Event Format (Google, "Trace Event Format", 2016), times in microseconds."""

SHOWN_LAYERS = 10
LONGEST_NAME = 60

PROFILED_MICRO_BATCHES = 10
"""Enough to order layers that differ by a tenth; a profiler takes memory for each."""


@dataclass(frozen=True)
class LayerTime:
    """Time of one layer over all profiled micro-batches, without the layers inside it."""

    layer: str
    kind: str
    time_us: float


@dataclass(frozen=True)
class Profile:
    """`layers`, the most expensive first; `events` for a trace viewer."""

    layers: tuple[LayerTime, ...]
    micro_batches: int
    events: Sequence[TraceEvent]


def profile_of(times: Iterable[LayerTime], micro_batches: int, events: Sequence[TraceEvent]) -> Profile:
    """Sums the times of each layer over the profiled micro-batches."""
    total_us: dict[tuple[str, str], float] = {}
    for found in times:
        total_us[found.layer, found.kind] = total_us.get((found.layer, found.kind), 0.0) + found.time_us
    layers = (LayerTime(layer, kind, time_us) for (layer, kind), time_us in total_us.items())
    return Profile(tuple(sorted(layers, key=lambda layer: -layer.time_us)), micro_batches, events)


def profile_folder(settings: Settings) -> Path:
    """The folder for the files of a profile, created now, before anything costly is done.

    Raises `BackendError`, naming the flag, if the folder cannot be created or written to.
    """
    run = f"{settings.model.replace('/', '-')}-{settings.backend}-{time.strftime('%Y-%m-%d-%H.%M.%S')}"
    folder = settings.profile_path or Path("profile") / run
    make_writable(folder, "--profile-path")
    return folder


def write_trace(profile: Profile, folder: Path) -> Path:
    """Writes the trace as JSON that chrome://tracing and ui.perfetto.dev open. Raises `OSError`, naming the file."""
    trace = {"traceEvents": list(profile.events), "displayTimeUnit": "ms"}
    path = folder / "trace.json"
    try:
        path.write_text(json.dumps(trace), encoding="utf-8")
    except OSError as error:  # the error of a full disk does not name the file
        raise OSError(error.errno, error.strerror, str(path)) from error
    return path


def table(profile: Profile) -> str:
    """The most expensive layers, with their time per micro-batch and their share of the total."""
    whole_us = sum(layer.time_us for layer in profile.layers) or 1.0
    shown = profile.layers[:SHOWN_LAYERS]
    rows = [
        (
            layer.layer if len(layer.layer) <= LONGEST_NAME else f"{layer.layer[: LONGEST_NAME - 1]}…",
            layer.kind,
            f"{layer.time_us / 1e3 / profile.micro_batches:.3f}",
            f"{layer.time_us / whole_us:.1%}",
        )
        for layer in shown
    ]
    rest_us = sum(layer.time_us for layer in profile.layers[SHOWN_LAYERS:])
    others = (
        f"{len(profile.layers) - len(shown)} others",
        "",
        f"{rest_us / 1e3 / profile.micro_batches:.3f}",
        f"{rest_us / whole_us:.1%}",
    )
    return _aligned([("layer", "kind", "ms", "share"), *rows, *([others] if rest_us else [])])


def _aligned(rows: Sequence[tuple[str, str, str, str]]) -> str:
    name, kind, time, share = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        f"\t{row[0]:<{name}}  {row[1]:<{kind}}  {row[2]:>{time}}  {row[3]:>{share}}" for row in rows
    )
