"""A strict double of PopTorch 3.4: the names, signatures and states that this project uses, and nothing else.

It computes eagerly on the CPU. What the real front end accepts beyond this is an error here: an unknown
name, keyword, key or state means that the backend and its facts (docs/ipu.md) have parted.
"""

from . import machine as _machine
from .blocks import BeginBlock
from .data import DataLoader, DataLoaderMode
from .executor import (
    OverlapMode,
    PoplarExecutor,
    inferenceModel,
    set_overlap_for_input,
    set_overlap_for_output,
)
from .options import ConnectionType, Options, OutputMode, PipelinedExecution, ShardedExecution


def ipuHardwareIsAvailable(num_ipus: int = 1) -> bool:
    assert isinstance(num_ipus, int)
    assert num_ipus >= 1
    return _machine.has_device_of(num_ipus)


def ipuHardwareVersion() -> int:
    assert ipuHardwareIsAvailable(), "No IPU hardware available on this system"
    return _machine.HARDWARE_VERSION


__all__ = [
    "BeginBlock",
    "ConnectionType",
    "DataLoader",
    "DataLoaderMode",
    "Options",
    "OutputMode",
    "OverlapMode",
    "PipelinedExecution",
    "PoplarExecutor",
    "ShardedExecution",
    "inferenceModel",
    "ipuHardwareIsAvailable",
    "ipuHardwareVersion",
    "set_overlap_for_input",
    "set_overlap_for_output",
]
