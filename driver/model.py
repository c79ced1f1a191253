"""The model of a run: from settings to a module that is ready for its input, and to an executable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from backends import registry
from backends.artefact_key import source_digest
from backends.base import AutonomousBackend, Backend
from backends.breadcrumbs import leave_breadcrumb
from backends.compilation import Compilation, compile_model
from backends.model_cache import open_cache
from backends.pipeline import Pipelined
from driver.crashes import subject_of
from driver.data import LABELLED_CLASSES, example_batch
from driver.file_digests import file_digest
from measurement.settings import Settings
from models import (
    BuiltModel,
    EfficientNetOptions,
    InputSpec,
    NormOptions,
    Weights,
    build_with,
    find_weights,
    input_with,
    weights_digest,
)
from models.options import NormKind

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parents[1]


def weights_of(settings: Settings) -> Weights:
    """The weights of the run, found before the model is built."""
    return find_weights(settings.model, settings.weights, norm_options(settings), block_options(settings))


def weights_warnings(settings: Settings, weights: Weights) -> tuple[str, ...]:
    """Warnings about how the weights were found, and about options without effect on them."""
    labels = _labels_without_effect(settings, weights) if settings.labels and settings.data == "real" else ()
    return (*weights.warnings, *labels)


def _labels_without_effect(settings: Settings, weights: Weights) -> tuple[str, ...]:
    if weights.kind == "random":
        # If random weights were requested, the settings have already warned.
        warned = settings.weights == "random"
        return () if warned else ("no effect with random weights, which have no top-1: --labels",)
    classes = input_with(settings.model, weights).num_classes
    if classes != LABELLED_CLASSES:
        return (
            f"no effect with --model {settings.model} ({classes} classes instead of {LABELLED_CLASSES}): --labels",
        )
    return ()


def compiled_model(settings: Settings, pixels: InputSpec, weights: Weights) -> Compilation:
    """The executable of the run, from the model cache if possible."""
    leave_breadcrumb(device=settings.device, subject=subject_of(settings))
    cache = open_cache(settings.model_cache_path) if settings.model_cache_path else None
    backend = backend_of(settings)

    def ready_for_backend() -> tuple[torch.nn.Module, tuple[str, ...]]:
        module, warnings = build(settings, weights)
        if settings.pipeline_splits and isinstance(backend, AutonomousBackend):
            from models.surgery import stage_starts

            backend.mark_stages(stage_starts(module, settings.pipeline_splits))
        return module, warnings

    return compile_model(
        backend,
        ready_for_backend,
        example_batch(settings, pixels),
        settings,
        cache,
        identity(weights),
    )


def backend_of(settings: Settings) -> Backend:
    """The engine, which runs the model as a whole or in stages."""
    backend = registry.choose(settings.backend, settings.device)
    if not settings.pipeline_splits or isinstance(backend, AutonomousBackend):
        return backend

    def in_stages(module: torch.nn.Module) -> Sequence[torch.nn.Module]:
        from models.surgery import split

        return split(module, settings.pipeline_splits)

    return Pipelined(backend, in_stages)


def build(settings: Settings, weights: Weights) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The model, ready for its input, and the warnings to print."""
    built = build_with(
        weights, settings.model, norm=norm_options(settings), efficientnet=block_options(settings)
    )
    return with_input(built, settings), built.warnings


def with_input(built: BuiltModel, settings: Settings) -> torch.nn.Module:
    """The module that takes the output of the source: with conversion of raw pixels inside it, if needed."""
    from models.surgery import normalize_in_model, pad_input_channels

    module = pad_input_channels(built.module) if settings.input_image_padding else built.module
    eight_bit, pixels = settings.eight_bit_io, built.input_spec
    if settings.normalization_location == "ipu":
        return normalize_in_model(module, pixels.mean, pixels.std, eight_bit=eight_bit)
    if eight_bit:
        return normalize_in_model(module, (0.0,) * 3, (1.0,) * 3, eight_bit=True)
    return module


def layers(settings: Settings) -> Sequence[str]:
    """The names that `--pipeline-splits` accepts; they do not depend on the weights."""
    from models.surgery import list_layers

    return list_layers(build(settings, Weights("random"))[0])


def norm_options(settings: Settings) -> NormOptions:
    return NormOptions(
        cast("NormKind", settings.norm_type),
        settings.norm_eps,
        settings.norm_num_groups,
        settings.batchnorm_momentum,
    )


def block_options(settings: Settings) -> EfficientNetOptions:
    return EfficientNetOptions(settings.efficientnet_expand_ratio, settings.efficientnet_group_dim)


def identity(weights: Weights) -> Callable[[], Mapping[str, str]]:
    """What identifies the model in addition to the settings; computed only if a cache needs it."""
    return lambda: {
        "weights": f"{weights.kind.partition(':')[0]} {weights_digest(weights, file_digest)}",
        "code": source_digest(ROOT / "models", ROOT / "backends", ROOT / "driver"),
    }
