"""A stage of a pipeline on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.base import Array, Effective

if TYPE_CHECKING:
    import onnxruntime as ort


class OnnxRuntimeStage:
    """Several inputs and outputs, all bound to the caller's arrays."""

    def __init__(self, session: ort.InferenceSession, effective: Effective) -> None:
        self.effective = effective
        self._session: ort.InferenceSession | None = session
        self._bindings: dict[tuple[int, ...], tuple[list[Array], ort.IOBinding]] = {}

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        assert self._session is not None
        arrays = [*inputs, *outputs]
        key = tuple(map(id, arrays))
        bound = self._bindings.get(key)
        if bound is None:
            bound = self._bindings[key] = (arrays, self._bind(inputs, outputs))
        self._session.run_with_iobinding(bound[1])

    def close(self) -> None:
        self._bindings.clear()
        self._session = None

    def _bind(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> ort.IOBinding:
        import onnxruntime as ort

        assert self._session is not None
        binding = self._session.io_binding()
        for given, array in zip(self._session.get_inputs(), inputs, strict=True):
            binding.bind_ortvalue_input(given.name, ort.OrtValue.ortvalue_from_numpy(array))
        for wanted, array in zip(self._session.get_outputs(), outputs, strict=True):
            binding.bind_output(wanted.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        return binding
