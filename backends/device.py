"""CPU or CUDA: what the engines that run on both ask."""

from __future__ import annotations

import sys
import warnings
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
    if not torch_sees_cuda():  # first, as it imports nothing where there is no device
        return False
    import onnxruntime as ort

    return "CUDAExecutionProvider" in ort.get_available_providers()


def compute_dtype(device: str, precision: str) -> torch.dtype:
    """The 16-bit type that the device multiplies natively where 16 bits are asked for, else float32."""
    import torch

    if precision == "32.32":
        return torch.float32
    if device == "cuda":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16() else torch.float32


def without_tf32(device: str, precision: str) -> None:
    """Lets torch compute float32 as float32 on CUDA; unasked, it rounds what convolutions read to TF32's 10 bits.

    By the switches that every supported torch has. In 2.9 and later they also set what their successors
    (`fp32_precision`) tell; these do not set the older ones, and whoever reads those then, as inductor did, fails.
    """
    if device != "cuda" or precision != "32.32":
        return
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # which recommend the successors
        torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


def onnxruntime_provider(device: str, precision: str) -> tuple[str, dict[str, int]]:
    """ONNX Runtime's name for the device, and its options; without `use_tf32`, float32 on CUDA would be TF32."""
    if device == "cpu":
        return "CPUExecutionProvider", {}
    return "CUDAExecutionProvider", {"use_tf32": 0} if precision == "32.32" else {}


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
