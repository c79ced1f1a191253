"""What a fork server imports once, so that its many processes need not."""

import onnxruntime  # noqa: F401
import onnxscript  # noqa: F401
import openvino  # noqa: F401
import timm  # noqa: F401
import torch
import torch.export
import torch.onnx  # noqa: F401
