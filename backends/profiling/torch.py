"""torch.profiler: times of modules for eager models, of kernels for models compiled by inductor."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from backends.profiling.profile import LayerTime, Profile, TraceEvent, profile_of

if TYPE_CHECKING:
    import torch

MARK = "layer: "


def profile_model(
    model: Callable[[torch.Tensor], torch.Tensor],
    inputs: Callable[[], Sequence[torch.Tensor]],
    host_calls: int,
    device: str,
) -> Profile:
    """Runs host calls of `model`, eager or compiled, on the micro-batches that `inputs` copies to the device."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    # Kineto prints to stderr that there is no GPU, whichever activities are requested.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    compiled = hasattr(model, "_orig_mod")
    run = _with_kernel_names(model) if compiled else model
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    micro_batches = 0
    with torch.no_grad(), _marked_modules(None if compiled else model):
        for pixels in inputs():
            run(pixels)
        with profile(activities=activities, record_shapes=True) as profiler:
            for _ in range(host_calls):
                for pixels in inputs():
                    run(pixels)
                    micro_batches += 1
            if device == "cuda":
                torch.cuda.synchronize()
    events = profiler.events() or []
    times = _kernel_times(events, device) if compiled else module_times(events, device)
    return profile_of(times, micro_batches, _trace_events(profiler))


def _with_kernel_names(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The same model compiled again, with code that reports each kernel to the profiler."""
    import torch

    options: dict[str, Any] = {"freezing": True, "cpp.enable_kernel_profile": True}
    compiled: Callable[[torch.Tensor], torch.Tensor] = torch.compile(
        model._orig_mod, dynamic=False, options=options
    )
    return compiled


@contextmanager
def _marked_modules(model: Any) -> Iterator[None]:
    """Marks the begin and end of each module's `forward` for the profiler."""
    from torch.profiler import record_function

    open_marks: list[record_function] = []

    def begin(name: str) -> Callable[..., None]:
        def mark(*_: object) -> None:
            open_marks.append(record_function(name))
            open_marks[-1].__enter__()

        return mark

    def end(*_: object) -> None:
        open_marks.pop().__exit__(None, None, None)

    hooks = []
    for name, module in model.named_modules() if model is not None else ():
        label = f"{MARK}{name.replace('.', '/') or 'model'} {type(module).__name__}"
        hooks += [module.register_forward_pre_hook(begin(label)), module.register_forward_hook(end)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def module_times(events: Sequence[Any], device: str) -> Iterator[LayerTime]:
    """Time of each module, without the modules inside it."""
    own_us: dict[int, float] = {}
    marked = [event for event in events if event.name.startswith(MARK) and _is_on_cpu(event)]
    for event in marked:
        own_us[event.id] = own_us.get(event.id, 0.0) + _time_us(event, device)
        outer = event.cpu_parent
        while outer is not None and not outer.name.startswith(MARK):
            outer = outer.cpu_parent
        if outer is not None:
            own_us[outer.id] = own_us.get(outer.id, 0.0) - _time_us(event, device)
    for event in marked:
        layer, _, kind = event.name.removeprefix(MARK).partition(" ")
        yield LayerTime(layer, kind, own_us[event.id])


def _kernel_times(events: Sequence[Any], device: str) -> Iterator[LayerTime]:
    for event in events:
        own_us = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        if own_us > 0 and _is_on_cpu(event):
            shapes = " ".join("x".join(map(str, shape)) for shape in event.input_shapes or () if shape)
            yield LayerTime(event.name, shapes, float(own_us))


def _time_us(event: Any, device: str) -> float:
    """Total time on the device; on CUDA, that of the kernels launched inside."""
    return float(event.device_time_total if device == "cuda" else event.time_range.elapsed_us())


def _is_on_cpu(event: Any) -> bool:
    """Excludes CUDA's kernels, which are counted with the operator that launched them."""
    return str(event.device_type).endswith(".CPU")


def _trace_events(profiler: Any) -> Sequence[TraceEvent]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events: Sequence[TraceEvent] = json.loads(path.read_bytes())["traceEvents"]
    return events
