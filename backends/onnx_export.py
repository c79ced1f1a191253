"""A torch module as ONNX bytes, for the engines that read ONNX."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from backends.base import Batch


def export_onnx(model: torch.nn.Module, example: Batch) -> bytes:
    """The model in ONNX, with the static shape and dtype of `example` (input `pixels`, output `logits`)."""
    import torch

    # The exporter's notes on its own passes and on torchvision operators say nothing about this model.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (torch.from_numpy(example),),
            dynamo=True,
            verbose=False,
            input_names=["pixels"],
            output_names=["logits"],
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())
