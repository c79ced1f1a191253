"""Replaces batch normalisation with group normalisation, or removes it."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

from models.errors import ModelError
from models.options import NormOptions
from models.surgery.copying import replace_module, with_shared_weights

_KINDS = ("batch", "group", "none")


def replace_norms(module: nn.Module, options: NormOptions) -> nn.Module:
    """`module` with every BatchNorm2d changed according to `options`; other layers keep their names.

    `batch` sets only epsilon and momentum; `group` replaces it with a new GroupNorm (scale 1, offset 0); `none` leaves
    only the activation that timm fuses with it. Raises `ModelError` for a group count that does not divide a layer's
    channels, and for a model without batch normalisation.
    """
    _check(options)
    copied = with_shared_weights(module)
    norms = [(name, child) for name, child in copied.named_modules() if isinstance(child, nn.BatchNorm2d)]
    if not norms and options != NormOptions():
        raise ModelError(
            f"{_asked(options)}: this model has no batch normalisation to change. "
            "Leave the --norm and --batchnorm options out, or choose another model."
        )
    if options.kind == "group":
        _check_groups(norms, options.num_groups)
    for name, norm in norms:
        copied = replace_module(copied, name, _replacement(norm, options))
    return copied


def _asked(options: NormOptions) -> str:
    if options.kind != "batch":
        return f"--norm-type {options.kind}"
    if options.eps is not None:
        return f"--norm-eps {options.eps:g}"
    if options.momentum is not None:
        return f"--batchnorm-momentum {options.momentum:g}"
    return f"--norm-num-groups {options.num_groups}"


def _check(options: NormOptions) -> None:
    if options.kind not in _KINDS:
        raise ModelError(f"--norm-type {options.kind}: expected one of {', '.join(_KINDS)}.")
    if options.eps is not None and not (math.isfinite(options.eps) and options.eps > 0):
        raise ModelError(f"--norm-eps {options.eps}: expected a number above 0, such as 1e-5.")
    if options.momentum is not None and not 0 <= options.momentum <= 1:
        raise ModelError(f"--batchnorm-momentum {options.momentum}: expected a number from 0 to 1.")
    if options.num_groups < 1:
        raise ModelError(f"--norm-num-groups {options.num_groups}: expected a whole number of 1 or more.")


def _check_groups(norms: list[tuple[str, nn.BatchNorm2d]], num_groups: int) -> None:
    for name, norm in norms:
        if norm.num_features % num_groups:
            common = math.gcd(*(other.num_features for _, other in norms))
            fitting = [count for count in range(1, common + 1) if common % count == 0]
            raise ModelError(
                f"--norm-num-groups {num_groups}: does not divide the {norm.num_features} channels of layer "
                f"{name.replace('.', '/')}. Group counts that fit every layer of this model: "
                f"{', '.join(map(str, fitting))}."
            )


def _replacement(norm: nn.BatchNorm2d, options: NormOptions) -> nn.Module:
    eps = norm.eps if options.eps is None else options.eps
    if options.kind == "batch":
        norm.eps = eps
        norm.momentum = norm.momentum if options.momentum is None else options.momentum
        return norm
    if options.kind == "group":
        return _group_norm(norm, options.num_groups, eps)
    return _activation_only(norm)


def _group_norm(norm: nn.BatchNorm2d, num_groups: int, eps: float) -> nn.Module:
    if not _has_activation(norm):
        return nn.GroupNorm(num_groups, norm.num_features, eps=eps).train(norm.training)
    from timm.layers.norm_act import GroupNormAct

    # timm's own class, so that the keys of the state dict are those of timm's group-norm models.
    fused = GroupNormAct(norm.num_features, num_groups=num_groups, eps=eps, apply_act=False)
    fused.drop, fused.act = norm.get_submodule("drop"), norm.get_submodule("act")
    return fused.train(norm.training)


def _activation_only(norm: nn.BatchNorm2d) -> nn.Module:
    if not _has_activation(norm):
        return nn.Identity()
    return nn.Sequential(OrderedDict(norm.named_children())).train(norm.training)


def _has_activation(norm: nn.BatchNorm2d) -> bool:
    """True for timm's BatchNormAct2d and similar layers, which also apply dropout and an activation."""
    return hasattr(norm, "drop") and hasattr(norm, "act")
