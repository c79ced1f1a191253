"""Finds the weights of a model, before anything is built."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.catalogue import timm_name
from models.errors import ModelError
from models.hub import WeightsUnavailable
from models.options import EfficientNetOptions, NormOptions

_READ_BYTES = 2**20


@dataclass(frozen=True)
class Weights:
    """`kind` is `pretrained`, `random` or `file:<name>`; `file` contains them (None: random).

    `warnings` are single lines to print.
    """

    kind: str
    file: Path | None = None
    warnings: tuple[str, ...] = ()


def find_weights(
    name: str,
    request: str = "auto",
    norm: NormOptions = NormOptions(),  # noqa: B008 (frozen)
    efficientnet: EfficientNetOptions = EfficientNetOptions(),  # noqa: B008 (frozen)
) -> Weights:
    """The weights of the model `name` that `request` asks for; downloaded, but not read.

    `request` is `auto` (pretrained if available, else random with a warning), `pretrained` (or an error), `random`, or
    the path of a state dict. Raises `ModelError`, naming the option, for a request that cannot be met.
    """
    architecture = timm_name(name)
    if request == "random":
        return Weights("random")
    if request not in ("auto", "pretrained"):
        return _own_file(request)
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


def weights_digest(weights: Weights) -> str:
    """SHA-256 of the file's content in hexadecimal; `random` without a file.

    Raises `ModelError` if the file cannot be read.
    """
    if weights.file is None:
        return "random"
    digest = hashlib.sha256()
    try:
        with weights.file.open("rb") as content:
            while block := content.read(_READ_BYTES):
                digest.update(block)
    except OSError as error:
        raise ModelError(f"--weights {weights.file}: cannot be read ({error.strerror or error}).") from error
    return digest.hexdigest()


def _own_file(request: str) -> Weights:
    file = Path(request)
    if file.is_file():
        return Weights(f"file:{file.name}", file)
    raise ModelError(
        f"--weights {request}: neither auto, pretrained nor random, nor a file. "
        "Give one of these, or the path of a .pth or .safetensors file."
    )


def _require_unchanged_architecture(norm: NormOptions, efficientnet: EfficientNetOptions) -> None:
    reason, flag = "", ""
    if norm.kind != "batch":
        reason, flag = f"none fit a model with --norm-type {norm.kind}", "--norm-type"
    elif efficientnet.group_dim != EfficientNetOptions().group_dim:
        flag = "--efficientnet-group-dim"
        reason = f"none fit a model with {flag} {efficientnet.group_dim}"
    elif efficientnet.expand_ratio != EfficientNetOptions().expand_ratio:
        flag = "--efficientnet-expand-ratio"
        reason = f"none fit a model with {flag} {efficientnet.expand_ratio}"
    if reason:
        raise WeightsUnavailable(reason, f"Leave {flag} out, or give --weights random or a file.")
