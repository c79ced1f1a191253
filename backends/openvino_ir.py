"""Converts OpenVINO models to the two files of its intermediate representation, and back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from backends.base import Artefact
from backends.openvino_core import core

if TYPE_CHECKING:
    import openvino as ov

GRAPH, WEIGHTS = "model.xml", "model.bin"


def to_ir(model: ov.Model) -> Artefact:
    """The model's files, with the weights unchanged in float32."""
    import openvino as ov

    with TemporaryDirectory() as folder:  # OpenVINO writes to files only
        ov.save_model(model, Path(folder, GRAPH), compress_to_fp16=False)
        return {name: Path(folder, name).read_bytes() for name in (GRAPH, WEIGHTS)}


def from_ir(artefact: Artefact) -> ov.Model:
    """The model from `to_ir`. Raises `RuntimeError` if OpenVINO cannot read it."""
    return core().read_model(model=artefact[GRAPH], weights=artefact[WEIGHTS])
