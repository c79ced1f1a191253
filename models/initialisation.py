"""Random weights with which activations stay in an ordinary range.

The initial weights that timm draws distort a measurement: residual branches are zeroed, and activations double or halve
from block to block, up to infinities in 16 bits or down to denormals, which some processors compute a hundred times
slower.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

_IMAGES = 4
# Standard deviation of the natural noise. Normalised real images have 1 on average and up to 2; with 1.5 some of them
# are still out of range.
_CONTRAST = 2.0

# Gain of a residual branch that timm initialises to zero. With 1, an unusual image drives the fifty blocks of resnet152
# out of range by a factor of hundreds; with 0.3, by less than 2.
_BRANCH_GAIN = 0.3


def settle_random_weights(module: nn.Module, image_size: int, seed: int) -> None:
    """Adjusts the weights of `module` in place so that activations are of the order of 1 in every layer.

    Sets the running statistics of batch norms to those of seeded images, as training would. Without any norm, divides
    each convolution by the standard deviation of its output (layer-sequential unit variance, Mishkin and Matas,
    arXiv:1511.06422).
    """
    _revive_zeroed_branches(module)
    images = _images(image_size, seed)
    if any(isinstance(layer, nn.BatchNorm2d) for layer in module.modules()):
        _settle_batch_norms(module, images)
    elif not any(isinstance(layer, nn.GroupNorm | nn.LayerNorm) for layer in module.modules()):
        _settle_convolutions(module, images)


def _revive_zeroed_branches(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm) and not torch.any(layer.weight):
            nn.init.constant_(layer.weight, _BRANCH_GAIN)


def _images(image_size: int, seed: int) -> torch.Tensor:
    """Seeded images `(4, 3, size, size)`: natural noise, the same with grain, in two tones, and grain alone.

    The statistics of one kind alone leave images of another kind out of range by a factor that grows from layer to
    layer: with smooth noise and grain alone, efficientnet-b4 returned logits of 20,000 for real images.
    """
    generator = torch.Generator().manual_seed(seed)
    images = _CONTRAST * _natural_noise(image_size, generator)
    grain = torch.randn(images.shape, generator=generator)
    return torch.stack([images[0], images[1] + grain[1], 1.5 * torch.sign(images[2]), grain[3]])


def _natural_noise(image_size: int, generator: torch.Generator) -> torch.Tensor:
    """Noise `(4, 3, size, size)` of variance 1, with equal variance in every octave, as in natural images.

    (Field 1987, doi:10.1364/JOSAA.4.002379.) Most of the variance is common to the three colours.
    """
    octaves = [
        functional.interpolate(
            torch.randn(_IMAGES, 3, 2**octave, 2**octave, generator=generator),
            size=(image_size, image_size),
            mode="bilinear",
        )
        for octave in range(image_size.bit_length())
    ]
    noise = torch.stack(octaves).sum(dim=0)
    noise += noise.sum(dim=1, keepdim=True)
    return noise / noise.std()


@torch.no_grad()
def _settle_batch_norms(module: nn.Module, images: torch.Tensor) -> None:
    module.eval()
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        # Without momentum a batch norm keeps the mean of all statistics so far.
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    module(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def _settle_convolutions(module: nn.Module, images: torch.Tensor) -> None:
    module.eval()

    def to_unit_variance(layer: nn.Module, _: object, output: torch.Tensor) -> torch.Tensor:
        deviation = output.std()
        if not torch.isfinite(deviation) or deviation < torch.finfo(torch.float32).tiny:
            return output
        for parameter in layer.parameters(recurse=False):
            parameter.div_(deviation)
        return output.div(deviation)

    hooks = [
        layer.register_forward_hook(to_unit_variance)
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        module(images)
    finally:
        for hook in hooks:
            hook.remove()
