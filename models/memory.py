"""The memory of a model's tensors, computed without allocating them."""

from __future__ import annotations

from dataclasses import dataclass

from models.catalogue import input_spec, timm_name
from models.options import EfficientNetOptions, NormOptions


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes in float32: all weights; and per image, input and output of the largest layer, and the logits."""

    weights_bytes: int
    largest_layer_bytes: int
    outputs_bytes: int


def memory_of(name: str, norm: NormOptions, efficientnet: EfficientNetOptions) -> MemoryNeed:
    """The least memory that the model `name` needs in any engine.

    Engines fuse norms and activations with the layer before them, but none computes a convolution or a pooling without
    its whole input and output. Builds and runs the model on torch's meta device, where tensors have shapes and no
    content.
    """
    import torch
    from torch import nn

    from models.build import architecture

    whole_layers = (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d)
    layer_bytes = [0]

    def record(_: nn.Module, given: tuple[object, ...], output: object) -> None:
        tensors = [value for value in (*given, output) if isinstance(value, torch.Tensor)]
        layer_bytes.append(sum(tensor.nbytes for tensor in tensors))

    size = input_spec(name).image_size
    with torch.device("meta"), torch.no_grad():
        module = architecture(timm_name(name), norm, efficientnet, seed=0).eval()
        for layer in module.modules():
            if isinstance(layer, whole_layers):
                layer.register_forward_hook(record)
        outputs = module(torch.zeros(1, 3, size, size))
    weights_bytes = sum(tensor.nbytes for tensor in module.state_dict().values())
    return MemoryNeed(weights_bytes, max(layer_bytes), outputs.nbytes)
