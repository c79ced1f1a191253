"""Two small models for tests that are not about a configuration."""

from __future__ import annotations

TINY: dict[str, object] = {
    "model": "timm/test_efficientnet.r160_in1k",
    "weights": "random",
    "micro_batch_size": 4,
    "eight_bit_io": True,
    "normalization_location": "ipu",
    "precision": "32.32",
}
"""160×160 pixels in 8 bits, normalised in the model."""

OTHER: dict[str, object] = {
    **TINY,
    "model": "timm/test_resnet.r160_in1k",
    "eight_bit_io": False,
    "normalization_location": "host",
}
"""Pixels in 32 bits, normalised by the client."""
