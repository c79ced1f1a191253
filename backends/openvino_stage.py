"""A stage of a pipeline on OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.base import Array, Effective
from backends.openvino_core import release_idle_threads

if TYPE_CHECKING:
    import openvino as ov


class OpenVinoStage:
    """One request, whose inputs and outputs are the caller's arrays."""

    def __init__(self, compiled: ov.CompiledModel, effective: Effective) -> None:
        self.effective = effective
        self._request: ov.InferRequest | None = compiled.create_infer_request()
        self._tensors: dict[int, tuple[Array, ov.Tensor]] = {}

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        assert self._request is not None
        for index, array in enumerate(inputs):
            self._request.set_input_tensor(index, self._tensor(array))
        for index, array in enumerate(outputs):
            self._request.set_output_tensor(index, self._tensor(array))
        self._request.infer(share_inputs=True, share_outputs=True)

    def close(self) -> None:
        self._request = None
        self._tensors.clear()
        release_idle_threads()

    def _tensor(self, array: Array) -> ov.Tensor:
        known = self._tensors.get(id(array))
        if known is None:
            import openvino as ov

            known = self._tensors[id(array)] = (array, ov.Tensor(array, shared_memory=True))
        return known[1]
