"""Loads state dicts from files, in any of the common namings and wrappings, into a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from models.errors import ModelError
from models.state_dict import listed, read_state_dict

# A key that only one foreign naming has, and the name of that naming. Their tensors are in the same order as timm's, as
# both follow the order of computation.
_FOREIGN_MARKS = {"features.0.0.weight": "torchvision", "_conv_stem.weight": "efficientnet-pytorch"}

# torchvision's MobileNetV3 was trained with a different epsilon in its batch norms than timm's.
_TORCHVISION_EPS = {"mobilenetv3_small_100": 1e-3, "mobilenetv3_large_100": 1e-3}


def load_checkpoint(
    module: nn.Module, file: Path, timm_name: str, *, key: str = "", own_eps: bool = True
) -> None:
    """Loads the state dict in `file` (under `key`) into `module`, of timm's architecture `timm_name`, in place.

    The names may be timm's, torchvision's or efficientnet-pytorch's. With `own_eps`, batch norms get the epsilon that
    torchvision's weights were trained with. Raises `ModelError` for a file that is not a checkpoint or does not fit,
    listing the keys.
    """
    weights = read_state_dict(file, key).tensors
    target = module.state_dict()
    naming = _foreign_naming(weights)
    if naming and not weights.keys() & target.keys() - {"classifier.weight", "classifier.bias"}:
        weights = _renamed_by_order(weights, target, file, naming)
        if own_eps and naming == "torchvision" and timm_name in _TORCHVISION_EPS:
            _set_eps(module, _TORCHVISION_EPS[timm_name])
    _require_fit(weights, target, file)
    # strict=False only for the counters of batch norms, which older files lack and inference never reads.
    module.load_state_dict(dict(weights), strict=False)


def _foreign_naming(weights: Mapping[str, torch.Tensor]) -> str:
    return next((naming for mark, naming in _FOREIGN_MARKS.items() if mark in weights), "")


def _renamed_by_order(
    weights: Mapping[str, torch.Tensor], target: Mapping[str, torch.Tensor], file: Path, naming: str
) -> dict[str, torch.Tensor]:
    given = [(key, tensor) for key, tensor in weights.items() if not _is_counter(key)]
    expected = [(key, tensor) for key, tensor in target.items() if not _is_counter(key)]
    if len(given) != len(expected):
        raise ModelError(
            f"--weights {file}: {len(given)} tensors in the naming of {naming}, but the model has "
            f"{len(expected)}. Choose the file's model with --model."
        )
    renamed: dict[str, torch.Tensor] = {}
    for (given_key, tensor), (key, place) in zip(given, expected, strict=True):
        # torchvision's MobileNetV3 has linear layers where timm has 1x1 convolutions.
        if _without_single_pixels(tensor.shape) != _without_single_pixels(place.shape):
            raise ModelError(
                f"--weights {file}: {given_key} ({naming}) has the shape {tuple(tensor.shape)}, but "
                f"the corresponding {key} of the model has {tuple(place.shape)}. Choose the file's model "
                "with --model."
            )
        renamed[key] = tensor.reshape(place.shape)
    return renamed


def _without_single_pixels(shape: torch.Size) -> tuple[int, ...]:
    return tuple(shape[:2]) if tuple(shape[2:]) == (1, 1) else tuple(shape)


def _require_fit(weights: Mapping[str, torch.Tensor], target: Mapping[str, torch.Tensor], file: Path) -> None:
    missing = [key for key in target if key not in weights and not _is_counter(key)]
    unexpected = [key for key in weights if key not in target]
    misshapen = [
        f"{key} ({tuple(weights[key].shape)} instead of {tuple(place.shape)})"
        for key, place in target.items()
        if key in weights and weights[key].shape != place.shape
    ]
    problems = [
        f"{title} ({len(keys)}): {listed(keys)}"
        for title, keys in (("missing", missing), ("unexpected", unexpected), ("other shape", misshapen))
        if keys
    ]
    if problems:
        raise ModelError(
            f"--weights {file}: does not fit the model. {'; '.join(problems)}. "
            "Choose the file's model with --model, and its norms with --norm-type."
        )


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


def _set_eps(module: nn.Module, eps: float) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = eps
