"""Converts tensors between Triton's Python backend and numpy, by DLPack.

The backend's own `as_numpy` and `Tensor(name, array)` read the structures of numpy 1: with numpy 2, inputs silently
become zeros and outputs empty.
"""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_USED = b"used_dltensor"  # DLPack's name of a consumed capsule; the name must outlive the capsule
_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.argtypes = [ctypes.py_object, ctypes.c_char_p]


def as_array(tensor: Any) -> NDArray[Any]:
    """The input tensor's own memory, read-only; valid until its request is answered."""
    array: NDArray[Any] = np.from_dlpack(tensor)
    return array


def as_tensor(backend: ModuleType, name: str, array: NDArray[Any]) -> Any:
    """An output tensor of the module `triton_python_backend_utils` on the array's memory, which it keeps alive."""
    capsule = array.__dlpack__()
    tensor = backend.Tensor.from_dlpack(name, capsule)
    # The backend marks the capsule by a name of its own, about which numpy would warn for each request.
    _rename(capsule, _USED)
    return tensor
