"""Modifications of a model: module in, module out; the original stays unchanged.

The new module shares the weights of the old one, so that nothing large is copied.
"""

from models.surgery.input import NormalizedInput, normalize_in_model, pad_input_channels
from models.surgery.norms import replace_norms
from models.surgery.stages import list_layers, split, stage_starts

__all__ = [
    "NormalizedInput",
    "list_layers",
    "normalize_in_model",
    "pad_input_channels",
    "replace_norms",
    "split",
    "stage_starts",
]
