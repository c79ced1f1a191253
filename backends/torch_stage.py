"""A stage of a pipeline on torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backends.base import Array, Effective

if TYPE_CHECKING:
    import torch


class TorchStage:
    """Values between stages are float32 on the host, as numpy has no bfloat16; the change of type is exact."""

    def __init__(self, run: Callable[..., object], dtype: torch.dtype, effective: Effective) -> None:
        self.effective = effective
        self._run: Callable[..., object] | None = run
        self._dtype = dtype

    def run(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        import torch

        assert self._run is not None
        with torch.no_grad():
            given = self._run(*map(self._on_device, inputs))
            values = given if isinstance(given, tuple) else (given,)
            for array, value in zip(outputs, values, strict=True):
                torch.from_numpy(array).copy_(value)

    def close(self) -> None:
        self._run = None

    def _on_device(self, array: Array) -> torch.Tensor:
        import torch

        value = torch.from_numpy(array)
        layout = torch.channels_last if value.dim() == 4 else torch.preserve_format
        # Whole numbers, such as 8-bit pixels, stay so: the model itself turns them into its own type.
        return value.to(self._dtype if value.is_floating_point() else value.dtype, memory_format=layout)
