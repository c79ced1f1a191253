"""Models in OpenVINO's form: converted from torch, with decomposed group norms, and as the two files of its IR."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from backends.base import Array, Artefact
from backends.breadcrumbs import leave_breadcrumb
from backends.openvino_core import core

if TYPE_CHECKING:
    import openvino as ov
    import torch

GRAPH, WEIGHTS = "model.xml", "model.bin"


def convert(model: torch.nn.Module, *examples: Array) -> ov.Model:
    """Converts the model, with the static shapes and dtypes of `examples`, so that the engine can plan its memory."""
    import openvino as ov
    import torch

    leave_breadcrumb(engine="openvino", phase="converting")
    with torch.no_grad():
        converted = ov.convert_model(torch.export.export(model, tuple(map(torch.from_numpy, examples))))
    converted.reshape({index: list(example.shape) for index, example in enumerate(examples)})
    return converted


def to_ir(model: ov.Model) -> Artefact:
    """The model's files, with the weights unchanged in float32."""
    import openvino as ov

    with TemporaryDirectory() as folder:  # OpenVINO writes to files only
        ov.save_model(model, Path(folder, GRAPH), compress_to_fp16=False)
        return {name: Path(folder, name).read_bytes() for name in (GRAPH, WEIGHTS)}


def from_ir(artefact: Artefact) -> ov.Model:
    """The model from `to_ir`. Raises `RuntimeError` if OpenVINO cannot read it."""
    return core().read_model(model=artefact[GRAPH], weights=artefact[WEIGHTS])


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
