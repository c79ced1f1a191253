"""The models by name, and the input that each expects.

A plain table, so that help texts and checks of names need neither torch nor timm; a test compares it with timm's own
configurations.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import ModelError, near_names

TIMM_PREFIX = "timm/"
# As timm and the Hugging Face hub write the repositories of timm's own models.
_HUB_PREFIXES = ("hf-hub:timm/", "hf_hub:timm/", "https://huggingface.co/timm/")


@dataclass(frozen=True)
class InputSpec:
    """The input that a model expects: square images of `image_size` pixels, (pixel - mean) / std.

    `mean` and `std` are per RGB channel, for pixels in 0..1. `interpolation` is the resize
    filter, `bilinear` or `bicubic`. The defaults are the usual ones for ImageNet.
    """

    image_size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bicubic"
    num_classes: int = 1000


@dataclass(frozen=True)
class CatalogueEntry:
    """A model: timm's name for its architecture, and its input."""

    timm_name: str
    input_spec: InputSpec = InputSpec()


_HALF = (0.5, 0.5, 0.5)

CATALOGUE: dict[str, CatalogueEntry] = {
    "resnet18": CatalogueEntry("resnet18"),
    "resnet34": CatalogueEntry("resnet34"),
    "resnet50": CatalogueEntry("resnet50"),
    "resnet101": CatalogueEntry("resnet101"),
    "resnet152": CatalogueEntry("resnet152"),
    "resnext50": CatalogueEntry("resnext50_32x4d"),
    "resnext101": CatalogueEntry("resnext101_32x8d", InputSpec(interpolation="bilinear")),
    "mobilenet": CatalogueEntry("mobilenetv2_100"),
    "mobilenet-v3-small": CatalogueEntry("mobilenetv3_small_100"),
    "mobilenet-v3-large": CatalogueEntry("mobilenetv3_large_100"),
    "efficientnet-b0": CatalogueEntry("efficientnet_b0"),
    # The resolution of the paper for B4; timm's own weights were trained at 320 and are tested at 384.
    "efficientnet-b4": CatalogueEntry("efficientnet_b4", InputSpec(image_size=380)),
    # The weights were trained and published with bilinear resizing; timm's bicubic replaces TensorFlow's variant of it.
    # With torchvision's antialiased bilinear all labelled photographs in data/images are classified correctly.
    "efficientnet-lite0": CatalogueEntry(
        "tf_efficientnet_lite0", InputSpec(mean=_HALF, std=_HALF, interpolation="bilinear")
    ),
}


def model_names() -> tuple[str, ...]:
    """The names that `--model` takes, in addition to `timm/NAME`."""
    return tuple(CATALOGUE)


def timm_name(name: str) -> str:
    """The name that timm uses for `name`: looked up, or the part after `timm/`. Raises `ModelError` if unknown.

    Accepts timm's names without `timm/`, too, those of its repositories on the Hugging Face hub, and deprecated ones.
    """
    if name in CATALOGUE:
        return CATALOGUE[name].timm_name
    for prefix in (TIMM_PREFIX, *_HUB_PREFIXES):
        if name.startswith(prefix):
            return _known_to_timm(name.removeprefix(prefix))
    if _is_timm_model(name):
        return _known_to_timm(name)
    raise ModelError(
        f"--model {name}: no such model.{near_names(name, CATALOGUE)} "
        f"Choose one of {', '.join(CATALOGUE)}, or timm/NAME for any model of timm."
    )


def input_spec(name: str) -> InputSpec:
    """The input of the model `name`; builds no model. Raises `ModelError` if unknown."""
    if name in CATALOGUE:
        return CATALOGUE[name].input_spec
    return _input_spec_from_timm(timm_name(name))


def _is_timm_model(name: str) -> bool:
    import timm

    return bool(timm.is_model(name.partition(".")[0]))


def _known_to_timm(name: str) -> str:
    import timm
    from timm.models import get_deprecated_models

    deprecated = get_deprecated_models()
    if name in deprecated:
        if deprecated[name] is None:
            raise ModelError(
                f"--model {TIMM_PREFIX}{name}: timm has removed this model. Choose another model."
            )
        name = str(deprecated[name])
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ModelError(
            f"--model {TIMM_PREFIX}{name}: timm has no such model.{near_names(name, timm.list_models())} "
            "timm.list_models() lists all of them."
        )
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ModelError(
            f"--model {TIMM_PREFIX}{name}: timm has {architecture}, but no weights tagged {tag!r}. "
            f"Its tags: {', '.join(tags) or 'none'}."
        )
    return name


def _input_spec_from_timm(name: str) -> InputSpec:
    from timm.models import get_pretrained_cfg

    config = get_pretrained_cfg(name)
    if config is None:
        raise ModelError(
            f"--model {TIMM_PREFIX}{name}: timm does not specify its input. Choose another model."
        )
    channels, height, width = config.input_size
    if channels != 3 or height != width:
        raise ModelError(
            f"--model {TIMM_PREFIX}{name}: it expects {channels}x{height}x{width} input, but only square RGB "
            "images are supported. Choose another model."
        )
    red, green, blue = config.mean
    std_red, std_green, std_blue = config.std
    return InputSpec(
        image_size=height,
        mean=(red, green, blue),
        std=(std_red, std_green, std_blue),
        interpolation="bilinear" if config.interpolation == "bilinear" else "bicubic",
        num_classes=config.num_classes,
    )
