"""ONNX Runtime's profiler: the JSON file that a session writes when it ends."""

from __future__ import annotations

from collections.abc import Sequence

from backends.profiling.profile import LayerTime, Profile, TraceEvent, profile_of

KERNEL_SUFFIX = "_kernel_time"


def read_profile(events: Sequence[TraceEvent], micro_batches: int) -> Profile:
    """The profile of the last `micro_batches` runs, without earlier events.

    `events` is the content of the file, a list in the Trace Event Format.
    """
    runs = [event for event in events if event.get("name") == "model_run"][-micro_batches:]
    start_us = min(float(run["ts"]) for run in runs)
    kept = [event for event in events if event.get("ph") == "M" or float(event.get("ts", -1)) >= start_us]
    kernels = (event for event in kept if str(event.get("name", "")).endswith(KERNEL_SUFFIX))
    times = (
        LayerTime(
            str(kernel["name"]).removesuffix(KERNEL_SUFFIX),
            str(kernel["args"]["op_name"]),
            float(kernel["dur"]),
        )
        for kernel in kernels
    )
    return profile_of(times, len(runs), kept)
