"""OpenVINO's performance counters: durations of layers, placed end to end from the start of each inference."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from backends.profiling.profile import LayerTime, Profile, TraceEvent, profile_of

if TYPE_CHECKING:
    import openvino as ov


def profile_requests(
    compiled: ov.CompiledModel, tensors: Sequence[ov.Tensor], host_calls: int, in_flight: int
) -> Profile:
    """Runs host calls of one inference per tensor on a model compiled with `PERF_COUNT`.

    As many requests run at once as in the measured host calls, so that layers compete for the machine in the same way.
    """
    import openvino as ov

    queue = ov.AsyncInferQueue(compiled, in_flight)
    inferences: list[tuple[int, float, list[Any]]] = []

    def finished(request: ov.InferRequest, started: tuple[int, float]) -> None:
        inferences.append((*started, request.profiling_info))

    queue.set_callback(finished)
    for host_call in range(1 + host_calls):
        if host_call == 1:
            inferences.clear()
        for tensor in tensors:
            track = queue.get_idle_request_id()
            queue.start_async(tensor, (track, time.perf_counter_ns() / 1e3), share_inputs=True)
        queue.wait_all()
    return _profile(inferences)


def _profile(inferences: Sequence[tuple[int, float, list[Any]]]) -> Profile:
    times: list[LayerTime] = []
    events: list[TraceEvent] = []
    origin_us = min(started_us for _, started_us, _ in inferences)
    for track, started_us, layers in inferences:
        at_us = started_us - origin_us
        for layer in layers:
            time_us = layer.real_time.total_seconds() * 1e6
            if time_us == 0:  # fused into another layer, or computed once at compilation
                continue
            times.append(LayerTime(layer.node_name, layer.node_type, time_us))
            events.append(
                {
                    "name": layer.node_name,
                    "cat": layer.node_type,
                    "ph": "X",
                    "ts": at_us,
                    "dur": time_us,
                    "pid": os.getpid(),
                    "tid": track,
                    "args": {"type": layer.node_type, "kernel": layer.exec_type},
                }
            )
            at_us += time_us
    return profile_of(times, len(inferences), events)
