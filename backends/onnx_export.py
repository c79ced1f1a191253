"""Exports torch modules as ONNX bytes, for the engines that read ONNX."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.base import Array

if TYPE_CHECKING:
    import torch


def export_onnx(
    model: torch.nn.Module,
    examples: Sequence[Array],
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> bytes:
    """The model, or a stage of a pipeline, in ONNX, with the static shapes and dtypes of its inputs `examples`."""
    import torch

    # The exporter's messages about its own passes and torchvision operators do not concern this model.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            tuple(torch.from_numpy(example) for example in examples),
            dynamo=True,
            verbose=False,
            input_names=input_names,
            output_names=output_names,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def in_dtype(model: torch.nn.Module, dtype: str) -> torch.nn.Module:
    """`model` computing in `dtype`, with the same input and float32 output; unchanged for float32."""
    import torch

    if dtype == "float32":
        return model

    class InDtype(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model.to(getattr(torch, dtype))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if pixels.dtype != torch.uint8:  # 8-bit pixels become numbers inside the model
                pixels = pixels.to(getattr(torch, dtype))
            logits: torch.Tensor = self.model(pixels)
            return logits.float()

    return InDtype().eval()
