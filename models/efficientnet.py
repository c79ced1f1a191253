"""EfficientNets with modified bottlenecks: a different expansion, and grouped instead of depthwise convolutions.

The stages are table 1 of Tan and Le, "EfficientNet" (arXiv:1905.11946), and for lite0 the same without
squeeze-and-excitation, in timm's block notation: ir = inverted residual, ds = depthwise separable, r = repeats, k =
kernel, s = stride, e = expansion, c = channels before scaling, se = squeeze ratio. A test compares them with timm's own
models at the default options.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.layers import Swish
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet

from models.errors import ModelError
from models.options import EfficientNetOptions


@dataclass(frozen=True)
class _Scaling:
    """How a member of the family is scaled up from B0."""

    width: float
    depth: float
    lite: bool = False


_FAMILY = {
    "efficientnet_b0": _Scaling(width=1.0, depth=1.0),
    "efficientnet_b4": _Scaling(width=1.4, depth=1.8),
    "tf_efficientnet_lite0": _Scaling(width=1.0, depth=1.0, lite=True),
}

_STAGES = (
    "ds_r1_k3_s1_e1_c16",
    "ir_r2_k3_s2_e{expand}_c24",
    "ir_r2_k5_s2_e{expand}_c40",
    "ir_r3_k3_s2_e{expand}_c80",
    "ir_r3_k5_s1_e{expand}_c112",
    "ir_r4_k5_s2_e{expand}_c192",
    "ir_r1_k3_s1_e{expand}_c320",
)


def build_efficientnet(timm_name: str, options: EfficientNetOptions) -> torch.nn.Module:
    """The EfficientNet `timm_name` with blocks built according to `options`, and random weights.

    Raises `ModelError` for a model outside the family, and for values that cannot be built.
    """
    if timm_name not in _FAMILY:
        changed = options.changed()
        assert changed, "timm builds a model without changes"
        flag, value, usual = changed
        raise ModelError(
            f"{flag} {value}: only for efficientnet-b0, efficientnet-b4 and efficientnet-lite0, "
            f"not {timm_name}. Give {flag} {usual}, or choose one of these with --model."
        )
    _require_positive("--efficientnet-expand-ratio", options.expand_ratio)
    _require_positive("--efficientnet-group-dim", options.group_dim)
    scaling = _FAMILY[timm_name]
    round_width = partial(round_channels, multiplier=scaling.width)
    stem_channels = 32 if scaling.lite else round_width(32)
    family_arguments: dict[str, Any] = (
        {
            "pad_type": "same",
            "act_layer": torch.nn.ReLU6,
            "norm_layer": partial(torch.nn.BatchNorm2d, eps=1e-3),
            "fix_stem": True,
            "num_features": 1280,
        }
        if scaling.lite
        else {"act_layer": Swish, "num_features": round_width(1280)}
    )
    return EfficientNet(
        block_args=_block_arguments(scaling, options, stem_channels, round_width),
        stem_size=32,
        round_chs_fn=round_width,
        **family_arguments,
    )


def _require_positive(flag: str, value: int) -> None:
    if value < 1:
        raise ModelError(f"{flag} {value}: expected a whole number of 1 or more.")


def _block_arguments(
    scaling: _Scaling,
    options: EfficientNetOptions,
    stem_channels: int,
    round_width: partial[int],
) -> list[list[dict[str, Any]]]:
    squeeze = "" if scaling.lite else "_se0.25"
    definition = [[stage.format(expand=options.expand_ratio) + squeeze] for stage in _STAGES]
    stages: list[list[dict[str, Any]]] = decode_arch_def(  # type: ignore[no-untyped-call]
        definition, depth_multiplier=scaling.depth, fix_first_last=scaling.lite
    )
    channels = stem_channels
    for stage_number, stage in enumerate(stages):
        for block_number, block in enumerate(stage):
            block["group_size"] = _group_size(
                options,
                channels,
                expanded=block["block_type"] == "ir",
                block=f"blocks/{stage_number}/{block_number}",
            )
            channels = round_width(block["out_chs"])
    return stages


def _group_size(options: EfficientNetOptions, block_channels: int, *, expanded: bool, block: str) -> int:
    # The first stage is not expanded, so its width is not a multiple of the usual group sizes (24 in B4): it takes the
    # largest size that divides both.
    if not expanded:
        return math.gcd(block_channels, options.group_dim)
    inner_channels = block_channels * options.expand_ratio
    if inner_channels % options.group_dim:
        raise ModelError(
            f"--efficientnet-group-dim {options.group_dim}: does not divide the {inner_channels} channels of "
            f"the convolution in {block}. Use a power of two up to 16, or another "
            "--efficientnet-expand-ratio."
        )
    return options.group_dim
