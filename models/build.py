"""Builds a model from its name: architecture, norms, weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalogue import InputSpec, input_spec, timm_name
from models.options import EfficientNetOptions, NormOptions
from models.weights import Weights, find_weights, input_with

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class BuiltModel:
    """A model ready for surgery or compilation.

    `module` is float32, in evaluation mode, takes normalised images `(N, 3, H, W)`, and returns logits
    `(N, num_classes)`. `weights` is what was actually loaded: `pretrained`, `random` or `file:<name>`. `warnings` are
    single lines to print.
    """

    module: nn.Module
    input_spec: InputSpec
    weights: str
    warnings: tuple[str, ...]


def build_model(
    name: str,
    *,
    weights: str = "auto",
    norm: NormOptions = NormOptions(),  # noqa: B008 (frozen)
    efficientnet: EfficientNetOptions = EfficientNetOptions(),  # noqa: B008 (frozen)
    seed: int = 0,
) -> BuiltModel:
    """The model `name` with the requested architecture, norms and weights.

    `weights` is `auto` (pretrained if available, else random with a warning), `pretrained` (or an error), `random`, or
    the path of a state dict. `seed` determines random weights.
    Raises `ModelError`, naming the option, for a request that cannot be met.
    """
    found = find_weights(name, weights, norm, efficientnet)
    built = build_with(found, name, norm=norm, efficientnet=efficientnet, seed=seed)
    return replace(built, warnings=found.warnings + built.warnings)


def build_with(
    weights: Weights,
    name: str,
    *,
    norm: NormOptions = NormOptions(),  # noqa: B008 (frozen)
    efficientnet: EfficientNetOptions = EfficientNetOptions(),  # noqa: B008 (frozen)
    seed: int = 0,
) -> BuiltModel:
    """The model `name` with weights from `find_weights`, called with the same options.

    Does not repeat the warnings of `weights`. Raises `ModelError` for weights that do not fit.
    """
    with _quiet_timm():
        if weights.file is None:
            return _random(name, norm, efficientnet, seed)
        if weights.kind == "pretrained":
            return _pretrained(name, weights.file, norm)
        return _from_file(name, weights, weights.file, norm, efficientnet, seed)


def _pretrained(name: str, file: Path, norm: NormOptions) -> BuiltModel:
    from models.pretrained import pretrained_model

    module = pretrained_model(timm_name(name), file)
    eps_warning = () if norm.eps is None else _eps_warning(name, module, norm.eps)
    return _finished(name, _with_norms(module, norm), "pretrained", eps_warning)


def _random(name: str, norm: NormOptions, efficientnet: EfficientNetOptions, seed: int) -> BuiltModel:
    from models.initialisation import settle_random_weights

    module = architecture(timm_name(name), norm, efficientnet, seed)
    settle_random_weights(module, input_spec(name).image_size, seed)
    return _finished(name, module, "random", ())


def _from_file(
    name: str, weights: Weights, file: Path, norm: NormOptions, efficientnet: EfficientNetOptions, seed: int
) -> BuiltModel:
    from models.checkpoint import load_checkpoint

    classes = None if weights.num_classes == input_spec(name).num_classes else weights.num_classes
    module = architecture(timm_name(name), norm, efficientnet, seed, classes)
    load_checkpoint(module, file, timm_name(name), key=weights.key, own_eps=norm.eps is None)
    return replace(_finished(name, module, weights.kind, ()), input_spec=input_with(name, weights))


def _finished(name: str, module: nn.Module, weights: str, warnings: tuple[str, ...]) -> BuiltModel:
    return BuiltModel(module.eval().requires_grad_(False), input_spec(name), weights, warnings)


def architecture(
    name: str, norm: NormOptions, efficientnet: EfficientNetOptions, seed: int, num_classes: int | None = None
) -> nn.Module:
    """The timm model `name` with the requested changes, and the weights that timm draws with `seed`.

    `num_classes` is another number of classes than the model's own.
    """
    import timm
    import torch

    # timm draws its weights from torch's global generator: seeded here, and restored afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module: Any  # timm's models have more methods than torch's
        if efficientnet == EfficientNetOptions():
            module = timm.create_model(name, pretrained=False)
        else:
            from models.efficientnet import build_efficientnet

            module = build_efficientnet(name, efficientnet)
        if num_classes is not None:
            module.reset_classifier(num_classes)
        return _with_norms(module, norm)


def _with_norms(module: nn.Module, norm: NormOptions) -> nn.Module:
    from models.surgery.norms import replace_norms

    # A model without batch normalisation is accepted unless another kind is requested.
    return module if norm == NormOptions() else replace_norms(module, norm)


def _eps_warning(name: str, module: nn.Module, eps: float) -> tuple[str, ...]:
    from torch import nn

    trained = {norm.eps for norm in module.modules() if isinstance(norm, nn.BatchNorm2d)} - {eps}
    if not trained:
        return ()
    own = ", ".join(f"{value:g}" for value in sorted(trained))
    return (f"--norm-eps {eps:g}: the weights of {name} were trained with {own}, so predictions may differ.",)


@contextmanager
def _quiet_timm() -> Iterator[None]:
    """Keeps timm's progress messages out of a benchmark's output."""
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
