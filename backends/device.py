"""CPU or CUDA: what the engines that run on both ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.machine import has_native_bfloat16

if TYPE_CHECKING:
    import torch


DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl")
"""What NVIDIA's driver shows on Linux, in WSL and on Jetson; without it, torch need not be asked."""


def torch_sees_cuda() -> bool:
    """Whether this torch was built for CUDA and finds a device. Loads torch only where there is a driver."""
    if sys.platform == "linux" and not any(Path(file).exists() for file in DRIVER_FILES):
        return False
    import torch

    return torch.cuda.is_available()


def onnxruntime_sees_cuda() -> bool:
    """Whether this ONNX Runtime has the CUDA provider (package onnxruntime-gpu) and torch finds a device."""
    import onnxruntime as ort

    return "CUDAExecutionProvider" in ort.get_available_providers() and torch_sees_cuda()


def compute_dtype(device: str, precision: str) -> torch.dtype:
    """The 16-bit type that the device multiplies natively where 16 bits are asked for, else float32."""
    import torch

    if precision == "32.32":
        return torch.float32
    if device == "cuda":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16() else torch.float32


def device_name(device: str) -> str:
    """The device as a reader knows it."""
    if device == "cpu":
        return "CPU"
    import torch

    return f"CUDA ({torch.cuda.get_device_name()})"


def synchronize(device: str) -> None:
    """Waits until the device has done all that it was given; a CPU has, when a call returns."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
