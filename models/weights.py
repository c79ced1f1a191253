"""Finds the weights of a model, before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from models.catalogue import InputSpec, input_spec, timm_name
from models.errors import ModelError
from models.hub import WeightsUnavailable
from models.options import EfficientNetOptions, NormOptions

RANDOM_WEIGHTS = "random, version 1, seed 0"
"""What determines random weights. A change of `models.initialisation` that changes them needs a new version."""


@dataclass(frozen=True)
class Weights:
    """`kind` is `pretrained`, `random` or `file:<name>`; `file` contains them (None: random).

    `key` is the state dict's key in the file, if one was chosen. `num_classes` is the file's number of classes, where
    that is known. `warnings` are single lines to print.
    """

    kind: str
    file: Path | None = None
    warnings: tuple[str, ...] = ()
    key: str = ""
    num_classes: int | None = None


def find_weights(
    name: str,
    request: str = "auto",
    norm: NormOptions = NormOptions(),  # noqa: B008 (frozen)
    efficientnet: EfficientNetOptions = EfficientNetOptions(),  # noqa: B008 (frozen)
) -> Weights:
    """The weights of the model `name` that `request` asks for; downloaded if necessary.

    `request` is `auto` (pretrained if available, else random with a warning), `pretrained` (or an error), `random`, or
    the path of a state dict, optionally with `:` and its key in the file. Raises `ModelError`, naming the option, for a
    request that cannot be met.
    """
    architecture = timm_name(name)
    if request == "random":
        return Weights("random")
    if request not in ("auto", "pretrained"):
        return _own_file(request, name, architecture)
    from models.pretrained import pretrained_file

    try:
        _require_unchanged_architecture(norm, efficientnet)
        return Weights("pretrained", pretrained_file(architecture))
    except WeightsUnavailable as unavailable:
        if request == "pretrained":
            raise ModelError(f"--weights pretrained: {unavailable}. {unavailable.remedy}") from unavailable
        return Weights(
            "random", warnings=(f"{name}: no pretrained weights ({unavailable}); using random weights.",)
        )


def weights_digest(weights: Weights, digest_of: Callable[[Path], str]) -> str:
    """`sha256:` and the digest of the file that `digest_of` returns, and the chosen key; without a file RANDOM_WEIGHTS.

    Raises `ModelError` if the file cannot be read.
    """
    if weights.file is None:
        return RANDOM_WEIGHTS
    try:
        digest = digest_of(weights.file)
    except OSError as error:
        raise ModelError(f"--weights {weights.file}: cannot be read ({error.strerror or error}).") from error
    return f"sha256:{digest}" + (f":{weights.key}" if weights.key else "")


def input_with(name: str, weights: Weights) -> InputSpec:
    """The input of the model `name` with these weights, whose number of classes counts."""
    spec = input_spec(name)
    return replace(spec, num_classes=weights.num_classes or spec.num_classes)


def _own_file(request: str, name: str, architecture: str) -> Weights:
    file, key = Path(request), ""
    if not file.is_file() and ":" in request:
        path, _, key = request.rpartition(":")
        file = Path(path)
    if not file.is_file():
        raise ModelError(
            f"--weights {request}: neither auto, pretrained nor random, nor a file. "
            "Give one of these, or the path of a .pth or .safetensors file."
        )
    from models.state_dict import classes_of, read_state_dict

    found = read_state_dict(file, key)
    classes, usual = classes_of(found.tensors, architecture), input_spec(name).num_classes
    if classes in (None, usual):
        classes_warning: tuple[str, ...] = ()
    else:
        classes_warning = (
            f"--weights {request}: {name} gets the {classes} classes of the file, not {usual}.",
        )
    kind = f"file:{file.name}:{key}" if key else f"file:{file.name}"
    return Weights(kind, file, (*found.warnings, *classes_warning), key, classes)


def _require_unchanged_architecture(norm: NormOptions, efficientnet: EfficientNetOptions) -> None:
    changed = ("--norm-type", norm.kind) if norm.kind != "batch" else efficientnet.changed()
    if changed:
        flag, value = changed[:2]
        raise WeightsUnavailable(
            f"none fit a model with {flag} {value}", f"Leave {flag} out, or give --weights random or a file."
        )
