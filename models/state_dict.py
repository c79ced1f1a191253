"""Finds the state dict in a checkpoint, and removes what training tools add to its names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import torch

from models.checkpoint_file import read_checkpoint
from models.errors import ModelError

_WRAPPER_KEYS = ("state_dict", "state_dict_ema", "model_state_dict", "model", "model_ema")
# Of DistributedDataParallel, torch.compile, and the attributes in which training modules hold the model.
_NAME_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "backbone.")
# Buffers that thop.profile() adds to every layer.
_PROFILER_COUNTERS = ("total_ops", "total_params")
# The last layer in the namings of torchvision and efficientnet-pytorch.
_FOREIGN_CLASSIFIERS = ("fc", "classifier.3", "classifier.1", "_fc")
_LISTED_KEYS = 8


@dataclass(frozen=True)
class StateDict:
    """Tensors by name, without the wrapping of a training script; `warnings` are single lines to print."""

    tensors: Mapping[str, torch.Tensor]
    warnings: tuple[str, ...] = ()


def read_state_dict(file: Path, key: str = "") -> StateDict:
    """The state dict in `file`, or the one under `key`. Raises `ModelError` if there is none."""
    content = read_checkpoint(file)
    found, warnings = _under_key(content, key, file) if key else _unwrapped(content, file)
    counters = [name for name in found if name.rpartition(".")[2] in _PROFILER_COUNTERS]
    if counters:
        warnings = (
            *warnings,
            f"--weights {file}: ignores {len(counters)} counters of thop, such as {counters[0]}.",
        )
    tensors = {name: tensor for name, tensor in found.items() if name not in counters}
    return StateDict(_without_prefixes(tensors), warnings)


def classes_of(tensors: Mapping[str, torch.Tensor], timm_name: str) -> int | None:
    """The number of classes of a state dict for timm's model `timm_name`; None if its last layer is not found."""
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(timm_name)
    own = config.classifier if config else None
    for layer in (*((own,) if isinstance(own, str) else own or ()), *_FOREIGN_CLASSIFIERS):
        weight, bias = tensors.get(f"{layer}.weight"), tensors.get(f"{layer}.bias")
        if weight is not None and weight.ndim and (bias is None or bias.shape[:1] == weight.shape[:1]):
            return int(weight.shape[0])
    return None


def listed(keys: list[str]) -> str:
    """The first of the keys, and how many more there are."""
    shown = ", ".join(keys[:_LISTED_KEYS])
    return f"{shown}, and {len(keys) - _LISTED_KEYS} more" if len(keys) > _LISTED_KEYS else shown


def _unwrapped(content: object, file: Path) -> tuple[Mapping[str, torch.Tensor], tuple[str, ...]]:
    warnings: tuple[str, ...] = ()
    found = content
    while not _is_state_dict(found):
        usual = {
            key: value for key, value in _mapping(found).items() if key in _WRAPPER_KEYS and _mapping(value)
        }
        chosen = next((key for key in _WRAPPER_KEYS if key in usual), None)
        if chosen is None:
            held = [value for value in _mapping(found).values() if _is_state_dict(value)]
            if len(held) != 1:
                raise _no_state_dict(content, file, several=bool(held))
            found = held[0]
            continue
        if len(usual) > 1:
            others = [key for key in _WRAPPER_KEYS if key in usual and key != chosen]
            warnings = (
                f"--weights {file}: loads {chosen}, and not {' or '.join(others)}; "
                f"--weights {file}:{others[0]} chooses.",
            )
        found = usual[chosen]
    return found, warnings


def _under_key(content: object, key: str, file: Path) -> tuple[Mapping[str, torch.Tensor], tuple[str, ...]]:
    for mapping in _mappings(content):
        if key in mapping:
            return _unwrapped(mapping[key], file)
    raise ModelError(f"--weights {file}:{key}: no such key. The file holds {_described(content)}.")


def _mappings(content: object) -> Iterator[Mapping[object, object]]:
    """The mapping itself, and those under the usual keys."""
    mapping = _mapping(content)
    yield mapping
    for key in _WRAPPER_KEYS:
        if _mapping(mapping.get(key)) and not _is_state_dict(mapping[key]):
            yield from _mappings(mapping[key])


def _mapping(content: object) -> Mapping[object, object]:
    return content if isinstance(content, Mapping) else {}


def _is_state_dict(content: object) -> TypeGuard[Mapping[str, torch.Tensor]]:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items())
    )


def _without_prefixes(tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    while tensors:
        common = [prefix for prefix in _NAME_PREFIXES if all(name.startswith(prefix) for name in tensors)]
        if not common:
            break
        tensors = {name.removeprefix(common[0]): tensor for name, tensor in tensors.items()}
    return tensors


def _no_state_dict(content: object, file: Path, several: bool) -> ModelError:
    remedy = (
        f"Choose one of them: --weights {file}:KEY."
        if several
        else 'Expected names and tensors, or these under "state_dict".'
    )
    return ModelError(f"--weights {file}: holds {_described(content)}, not a state dict. {remedy}")


def _described(content: object) -> str:
    if isinstance(content, Mapping):
        return (
            f"a dictionary with the keys {listed(list(map(str, content)))}"
            if content
            else "an empty dictionary"
        )
    return f"a {type(content).__name__}"
