"""Options that change the architecture of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NormKind = Literal["batch", "group", "none"]


@dataclass(frozen=True)
class NormOptions:
    """The normalisation after the convolutions.

    None in `eps` and `momentum` means the model's own: pretrained weights were trained with a certain epsilon (1e-3 for
    efficientnet-lite0), and another one reduces accuracy. `num_groups` applies only to kind `group`, `momentum` only to
    kind `batch` (and only in training: no inference result depends on it).
    """

    kind: NormKind = "batch"
    eps: float | None = None
    num_groups: int = 32
    momentum: float | None = None


@dataclass(frozen=True)
class EfficientNetOptions:
    """How the inverted bottlenecks of an EfficientNet are built.

    `expand_ratio` is the ratio of a block's inner channels to its input, `group_dim` the number of channels per group
    of its spatial convolution (1: depthwise).
    """

    expand_ratio: int = 6
    group_dim: int = 1

    def changed(self) -> tuple[str, int, int] | None:
        """The flag of an option that differs from its default, with its value and the default; None if none does."""
        usual = EfficientNetOptions()
        if self.group_dim != usual.group_dim:
            return "--efficientnet-group-dim", self.group_dim, usual.group_dim
        if self.expand_ratio != usual.expand_ratio:
            return "--efficientnet-expand-ratio", self.expand_ratio, usual.expand_ratio
        return None
