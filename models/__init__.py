"""WHAT runs: image classification models by name, with the requested weights and surgery.

Importing this package loads neither torch nor timm. Changes to a built model are in `models.surgery`.
"""

from models.build import BuiltModel, build_model, build_with
from models.catalogue import InputSpec, input_spec, model_names
from models.errors import ModelError
from models.options import EfficientNetOptions, NormOptions
from models.weights import Weights, find_weights, input_with, weights_digest

__all__ = [
    "BuiltModel",
    "EfficientNetOptions",
    "InputSpec",
    "ModelError",
    "NormOptions",
    "Weights",
    "build_model",
    "build_with",
    "find_weights",
    "input_spec",
    "input_with",
    "model_names",
    "weights_digest",
]
