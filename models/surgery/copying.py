"""Copies of modules that share their tensors."""

from __future__ import annotations

import copy
from itertools import chain

from torch import nn


def with_shared_weights(module: nn.Module) -> nn.Module:
    """A copy of `module` that can be modified freely; its parameters and buffers are the same objects."""
    keep = {id(tensor): tensor for tensor in chain(module.parameters(), module.buffers())}
    return copy.deepcopy(module, keep)


def replace_module(root: nn.Module, name: str, new: nn.Module) -> nn.Module:
    """`root` with the submodule at the dotted `name` replaced in place (`""`: `new` itself)."""
    if not name:
        return new
    parent, _, child = name.rpartition(".")
    setattr(root.get_submodule(parent), child, new)
    return root
