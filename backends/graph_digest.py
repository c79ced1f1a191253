"""Digests of exported graphs: operations, order, shapes and types, whatever names exporters give them.

The weights count by shape and type alone: their file has a digest of its own, and random weights may differ in the last
bit between numbers of cores. Constants that are part of the graph, such as axes, shapes and the mean of the pixels,
count by value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Artefact

if TYPE_CHECKING:
    import openvino as ov

PART = "graph.sha256"
"""The part of a cached artefact that holds the digest: computing it again would need the exporter's packages."""

MOST_INTEGERS, MOST_FLOATS = 64, 4
"""Values of a constant that count; more of them are weights."""


def digest_line(artefact: Artefact) -> dict[str, str]:
    """The report line of a cached artefact's digest."""
    return {"exported_model": artefact[PART].decode()}


def onnx_digest(exported: bytes) -> bytes:
    """`sha256:` and the digest of a model in ONNX."""
    import onnx

    model = onnx.ModelProto.FromString(exported)
    lines = [
        *sorted(f"opset {one.domain} {one.version}" for one in model.opset_import),
        *_onnx_lines(model.graph),
    ]
    for function in sorted(model.functions, key=lambda one: (one.domain, one.name)):
        number = {name: str(index) for index, name in enumerate(function.input)}
        lines += [f"function {function.domain} {function.name}", *_onnx_nodes(function.node, number)]
        lines.append(f"returns {[number.get(name) for name in function.output]}")
    return _sha256(lines)


def openvino_digest(model: ov.Model) -> bytes:
    """`sha256:` and the digest of a model of OpenVINO, alike before it is saved as IR and after it is read."""
    lines = []
    number: dict[str, int] = {}
    for index, node in enumerate(model.get_ordered_ops()):
        number[node.get_name()] = index
        kind = node.get_type_name()
        inputs = [
            (number[source.get_node().get_name()], source.get_index())
            for source in (value.get_source_output() for value in node.inputs())
        ]
        outputs = [
            f"{value.get_element_type().to_string()}{value.get_partial_shape()}" for value in node.outputs()
        ]
        facts: object
        if kind == "Constant":
            facts = _value(node.get_data()) if np.prod(node.get_output_shape(0)) <= MOST_INTEGERS else ""
        else:
            facts = sorted((name, str(value)) for name, value in node.get_attributes().items())
        lines.append(f"{kind} {inputs} {outputs} {facts}")
    return _sha256(lines)


def _onnx_lines(graph: Any) -> list[str]:
    number: dict[str, str] = {}
    lines = []
    for value in graph.input:
        number[value.name] = str(len(number))
        lines.append(f"input {value.type.SerializeToString(deterministic=True).hex()}")
    for tensor in graph.initializer:
        # By content instead of by order, in which exporters list them as they like.
        number[tensor.name] = f"{tensor.data_type}{list(tensor.dims)}{_onnx_value(tensor)}"
    lines += _onnx_nodes(graph.node, number)
    return [*lines, f"returns {[number.get(value.name) for value in graph.output]}"]


def _onnx_nodes(nodes: Iterable[Any], number: dict[str, str]) -> list[str]:
    lines = []
    for index, node in enumerate(nodes):
        inputs = [number.get(name, "") for name in node.input]
        for output, name in enumerate(node.output):
            number[name] = f"{index}.{output}"
        lines.append(f"{node.domain} {node.op_type} {inputs} {len(node.output)} {_attributes(node)}")
    return lines


def _attributes(node: Any) -> list[str]:
    texts = []
    for attribute in sorted(node.attribute, key=lambda one: one.name):
        if attribute.HasField("t"):
            tensor = attribute.t
            value = f"{tensor.data_type}{list(tensor.dims)}{_onnx_value(tensor)}"
        elif attribute.HasField("g"):
            value = str(_onnx_lines(attribute.g))
        else:
            value = attribute.SerializeToString(deterministic=True).hex()
        texts.append(f"{attribute.name} {value}")
    return texts


def _onnx_value(tensor: Any) -> str:
    from onnx import numpy_helper

    return _value(numpy_helper.to_array(tensor)) if np.prod(tensor.dims) <= MOST_INTEGERS else ""


def _value(array: NDArray[Any]) -> str:
    counts = array.size <= (MOST_INTEGERS if array.dtype.kind in "iub" else MOST_FLOATS)
    return str(array.ravel().tolist()) if counts else ""


def _sha256(lines: Sequence[str]) -> bytes:
    return b"sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest().encode()
