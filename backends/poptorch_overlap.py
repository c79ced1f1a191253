"""Input and output that overlap with computation (`--num-io-tiles`)."""

from __future__ import annotations

import torch


class OverlappedIO(torch.nn.Module):
    """`model`, with its input fetched and its output stored while other micro-batches are computed."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        import poptorch

        mode = poptorch.OverlapMode.OverlapAccumulationLoop
        logits = self.model(poptorch.set_overlap_for_input(pixels, mode))
        overlapped: torch.Tensor = poptorch.set_overlap_for_output(logits, mode)
        return overlapped
