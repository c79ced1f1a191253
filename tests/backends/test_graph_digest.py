"""The digest of an exported model: alike for the same computation, and different for another one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from backends import registry
from backends.base import KeepingBackend
from backends.graph_digest import onnx_digest, openvino_digest
from backends.onnx_export import export_onnx
from backends.openvino_model import convert
from measurement.settings import resolve
from models.surgery import normalize_in_model

pytestmark = pytest.mark.engine

PIXELS = np.zeros((2, 3, 32, 32), np.float32)
EXPORTING = ("openvino", "onnxruntime")


def onnx_of(model: nn.Module, pixels: np.ndarray = PIXELS) -> bytes:
    return onnx_digest(export_onnx(model, [pixels], ["pixels"], ["logits"]))


def openvino_of(model: nn.Module, pixels: np.ndarray = PIXELS) -> bytes:
    return openvino_digest(convert(model, pixels))


each_exporter = pytest.mark.parametrize("digest", [onnx_of, openvino_of])
Digest = Callable[..., bytes]


@each_exporter
def test_the_same_model_and_one_with_other_weights_have_the_same_digest(
    digest: Digest, small_model: nn.Module
) -> None:
    other = copy.deepcopy(small_model)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_()
    assert digest(small_model) == digest(copy.deepcopy(small_model)) == digest(other)


@each_exporter
def test_another_operation_attribute_shape_or_order_is_another_digest(
    digest: Digest, small_model: nn.Module
) -> None:
    def changed(index: int, layer: nn.Module) -> bytes:
        model = copy.deepcopy(small_model)
        model[index] = layer
        return digest(model.eval())

    found = [
        digest(small_model),
        digest(small_model, PIXELS[:1]),
        changed(0, nn.Conv2d(3, 8, 3, 2, padding=1)),
        changed(0, nn.Conv2d(3, 8, 5, 2)),
        changed(2, nn.ReLU()),
        changed(2, nn.Sequential(nn.Hardswish(), nn.ReLU())),
        changed(2, nn.Sequential(nn.ReLU(), nn.Hardswish())),
    ]
    assert len(set(found)) == len(found)


@each_exporter
def test_the_mean_of_the_pixels_is_part_of_the_graph(digest: Digest, small_model: nn.Module) -> None:
    std = (0.5, 0.5, 0.5)
    one, other = (
        digest(normalize_in_model(copy.deepcopy(small_model), (red, 0.5, 0.5), std, eight_bit=False))
        for red in (0.4, 0.5)
    )
    assert one != other


def test_what_an_exporter_calls_things_does_not_count(small_model: nn.Module) -> None:
    exported = export_onnx(small_model, [PIXELS], ["pixels"], ["logits"])
    model = onnx.ModelProto.FromString(exported)
    names = {name for node in model.graph.node for name in (*node.input, *node.output)}
    renamed = {name: f"value{number}" for number, name in enumerate(sorted(names, reverse=True))}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
        node.name, node.doc_string = "", "exported elsewhere"
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = renamed.get(value.name, value.name)
    model.producer_version = "99"
    assert onnx_digest(model.SerializeToString()) == onnx_digest(exported)


@pytest.mark.parametrize("name", EXPORTING)
def test_a_model_from_the_cache_reports_the_digest_of_its_export(name: str, small_model: nn.Module) -> None:
    settings, _ = resolve({"data": "generated", "micro_batch_size": 2}, None, "cpu", name)
    backend = registry.choose(name, "cpu")
    assert isinstance(backend, KeepingBackend)
    exported, artefact = backend.compile_and_keep(copy.deepcopy(small_model), PIXELS, settings)
    restored = backend.restore(artefact, lambda: small_model, PIXELS, settings)
    compiled = backend.compile(copy.deepcopy(small_model), PIXELS, settings)
    found = {one.effective.details["exported_model"] for one in (exported, restored, compiled)}
    for one in (exported, restored, compiled):
        one.close()
    assert len(found) == 1
    assert found.pop().startswith("sha256:")
