"""CPU or CUDA: helpers for the engines that run on both."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from measurement.machine import has_native_bfloat16

if TYPE_CHECKING:
    import torch


DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-ctrl")
"""Device files of NVIDIA's driver on Linux, in WSL and on Jetson; without any, torch need not be loaded."""


def torch_sees_cuda() -> bool:
    """Whether this torch was built for CUDA and finds a device. Loads torch only if a driver is installed."""
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
    """The 16-bit type that the device multiplies natively if `precision` asks for 16 bits, else float32."""
    import torch

    if precision == "32.32":
        return torch.float32
    if device == "cuda":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16() else torch.float32


def without_tf32(device: str, precision: str) -> None:
    """Makes torch compute float32 as float32 on CUDA; by default it rounds the inputs of convolutions to TF32.

    Uses the switches that every supported torch has. In torch 2.9 and later they also set their successors
    (`fp32_precision`); the successors do not set the older switches, and code that then reads those, as inductor did,
    fails.
    """
    if device != "cuda" or precision != "32.32":
        return
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they recommend the successors
        torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")


def onnxruntime_provider(device: str, precision: str) -> tuple[str, dict[str, int]]:
    """ONNX Runtime's provider for the device, and its options; without `use_tf32`, float32 on CUDA would be TF32."""
    if device == "cpu":
        return "CPUExecutionProvider", {}
    return "CUDAExecutionProvider", {"use_tf32": 0} if precision == "32.32" else {}


def device_name(device: str) -> str:
    """The device's name for the report."""
    if device == "cpu":
        return "CPU"
    import torch

    return f"CUDA ({torch.cuda.get_device_name()})"
