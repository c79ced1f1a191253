"""The memory that a configuration needs, for the message when it ran out."""

from __future__ import annotations

from contextlib import suppress

from backends.base import OutOfMemory
from driver.model import block_options, norm_options
from measurement.settings import Settings


def memory_needed(error: BaseException) -> str:
    """A sentence for the end of an error message; empty if memory is not the problem, or the need is unknown."""
    if isinstance(error, OutOfMemory):
        with suppress(Exception):  # a failing estimate must not hide the error itself
            return _sentence(error.settings)
    return ""


def _sentence(settings: Settings) -> str:
    from models.memory import memory_of

    need = memory_of(settings.model, norm_options(settings), block_options(settings))
    layer, outputs = (
        need.largest_layer_bytes * settings.micro_batch_size,
        need.outputs_bytes * settings.samples_per_host_call,
    )
    engines = settings.replica_processes
    whole = engines * (need.weights_bytes + layer + outputs)
    return (
        f". In float32 this configuration needs at least {_mib(whole)}: {_mib(need.weights_bytes)} for the weights, "
        f"{_mib(layer)} for input and output of the largest layer, {_mib(outputs)} for the outputs of a host call"
        + (f", {engines} times" if engines > 1 else "")
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
