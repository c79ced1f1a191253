"""Changes before the first layer: normalisation of pixels, and a fourth channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from models.errors import ModelError
from models.surgery.copying import replace_module, with_shared_weights

PADDED_CHANNELS = 4


class NormalizedInput(nn.Module):
    """`model` applied to (pixels - shift) * scale, so that raw pixels can be passed to a device.

    Input `(N, channels, H, W)`, uint8 or floating point. The buffers follow `.to(dtype)`, and the pixels are converted
    to their type (integers up to 255 are exact in bfloat16).
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, model: nn.Module, shift: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # OpenVINO fuses conversion, subtraction and multiplication into one kernel. They cannot be folded into the
        # convolution's weights: it pads with zeros, which represent the mean only after the shift.
        normalized: torch.Tensor = self.model((pixels.to(self.scale.dtype) - self.shift) * self.scale)
        return normalized


def normalize_in_model(
    module: nn.Module, mean: Sequence[float], std: Sequence[float], *, eight_bit: bool
) -> nn.Module:
    """`module` with normalisation of raw pixels `(N, 3 or 4, H, W)` before it.

    `mean` and `std` are per RGB channel for pixels in 0..1. The input is uint8 in 0..255 if `eight_bit`, else floating
    point in 0..1. A padded fourth channel is neither shifted nor scaled.
    """
    full_scale = 255.0 if eight_bit else 1.0
    padding = input_channels(module) - len(mean)
    shift = torch.tensor([value * full_scale for value in mean] + [0.0] * padding)
    scale = torch.tensor([1.0 / (value * full_scale) for value in std] + [1.0] * padding)
    wrapped = NormalizedInput(module, shift.view(1, -1, 1, 1), scale.view(1, -1, 1, 1))
    return wrapped.train(module.training)


def pad_input_channels(module: nn.Module) -> nn.Module:
    """`module` for input with 4 channels, of which the fourth has no influence on the output.

    The first convolution gets zero weights for the new channel. Raises `ModelError` unless it is a plain convolution
    over 3 channels.
    """
    copied = with_shared_weights(module)
    if isinstance(copied, NormalizedInput):
        missing = PADDED_CHANNELS - copied.shift.shape[1]
        copied.shift = torch.cat([copied.shift, copied.shift.new_zeros(1, missing, 1, 1)], dim=1)
        copied.scale = torch.cat([copied.scale, copied.scale.new_ones(1, missing, 1, 1)], dim=1)
    name, convolution = _first_convolution(copied)
    if convolution.in_channels != 3 or convolution.groups != 1:
        raise ModelError(
            f"--input-image-padding: the first convolution, {name}, takes {convolution.in_channels} "
            f"channels in {convolution.groups} groups, but only 3 in 1 group can be padded. "
            "Leave the flag out."
        )
    weight = convolution.weight
    zeros = weight.new_zeros(weight.shape[0], PADDED_CHANNELS - 3, *weight.shape[2:])
    padded = with_shared_weights(convolution)
    assert isinstance(padded, nn.Conv2d)
    padded.in_channels = PADDED_CHANNELS
    padded.weight = nn.Parameter(
        torch.cat([weight.detach(), zeros], dim=1), requires_grad=weight.requires_grad
    )
    return replace_module(copied, name, padded)


def input_channels(module: nn.Module) -> int:
    """The number of input channels of `module`: those of its first convolution."""
    return _first_convolution(module)[1].in_channels


def _first_convolution(module: nn.Module) -> tuple[str, nn.Conv2d]:
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            return name, child
    raise ModelError(
        "--model: its input cannot be changed, as it has no convolution. "
        "Use --normalization-location host, without --input-image-padding."
    )
