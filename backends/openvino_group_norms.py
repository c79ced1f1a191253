"""Replaces group normalisation by operations for which OpenVINO's CPU plugin has hand-written kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import openvino as ov


def decompose_group_norms(model: ov.Model) -> None:
    """Replaces, in place, every GroupNormalization of `model` by MVN over each group, a scale and a shift.

    For GroupNormalization the plugin generates a kernel (a "snippet"). In float32, followed by a sum, that crashes the
    process during compilation on any CPU (openvino 2026.4). MVN has a hand-written kernel, which is also faster, in
    float32 and in bfloat16. Shapes must be static.
    """
    found = [node for node in model.get_ops() if node.get_type_name() == "GroupNormalization"]
    for node in found:
        node.output(0).replace(_decomposed(node))
    if found:
        model.validate_nodes_and_infer_types()


def _decomposed(node: ov.Node) -> ov.Output:
    from openvino import opset12 as op

    values, scale, shift = node.input_values()
    attributes = node.get_attributes()
    shape = list(values.get_shape())
    batch, channels, *space = shape
    # One row per group, as MVN's kernels read them.
    rows = op.reshape(values, np.array([batch, attributes["num_groups"], -1]), special_zero=False)
    normalised = op.mvn(rows, np.array([2]), True, attributes["epsilon"], "inside_sqrt")
    normalised.set_friendly_name(f"{node.get_friendly_name()}/MVN")
    in_shape = op.reshape(normalised, np.array(shape), special_zero=False)
    per_channel = np.array([channels, *(1 for _ in space)])
    scaled = op.multiply(in_shape, op.reshape(scale, per_channel, special_zero=False))
    shifted = op.add(scaled, op.reshape(shift, per_channel, special_zero=False))
    shifted.set_friendly_name(node.get_friendly_name())
    return shifted.output(0)
