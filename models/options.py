"""The choices that change a model's architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NormKind = Literal["batch", "group", "none"]


@dataclass(frozen=True)
class NormOptions:
    """Which normalisation the convolutions are followed by.

    ``eps`` and ``momentum`` are the model's own when None: pretrained weights were trained with a
    certain epsilon (1e-3 for efficientnet-lite0), and another one costs accuracy. ``num_groups``
    counts only for kind ``group``, ``momentum`` only for kind ``batch`` (and only in training: no
    inference result depends on it).
    """

    kind: NormKind = "batch"
    eps: float | None = None
    num_groups: int = 32
    momentum: float | None = None


@dataclass(frozen=True)
class EfficientNetOptions:
    """How the inverted bottlenecks of an EfficientNet are built.

    ``expand_ratio`` is the widening of a block's inner channels, ``group_dim`` the number of
    channels in each group of its spatial convolution (1: depthwise).
    """

    expand_ratio: int = 6
    group_dim: int = 1
