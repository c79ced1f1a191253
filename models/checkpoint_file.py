"""Reads checkpoint files: recognised by their first bytes, and without running any code in them."""

from __future__ import annotations

import argparse
import struct
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from models.errors import ModelError

_EXPECTED = (
    "Expected a state dict of tensors, saved with torch.save(model.state_dict(), file) or by safetensors."
)

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_GIT_LFS = b"version https://git-lfs"
_NAMED = 4

# What training scripts store next to the weights: their arguments, and a metric. None of them runs code when it is
# loaded. The last are the types of numpy's numbers, and the name under which numpy 1 stored its scalars.
_HARMLESS: Sequence[Any] = (
    argparse.Namespace,
    np.dtype,
    np._core.multiarray.scalar,  # type: ignore[attr-defined]
    *{type(np.dtype(code)) for code in f"?{np.typecodes['AllInteger']}{np.typecodes['AllFloat']}"},
    (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),  # type: ignore[attr-defined]
)


def read_checkpoint(file: Path) -> object:
    """The object in `file`: tensors in containers, on the CPU. Runs no code in the file.

    Reads files of safetensors and of `torch.save`, whatever their suffix. Raises `ModelError` for any other.
    """
    try:
        with file.open("rb") as content:
            beginning = content.read(len(_GIT_LFS))
        size = file.stat().st_size
    except OSError as error:
        raise ModelError(f"--weights {file}: cannot be read ({error.strerror or error}).") from error
    if not beginning:
        raise _not_a_checkpoint(file, "the file is empty")
    if beginning == _GIT_LFS:
        raise ModelError(
            f"--weights {file}: a pointer of Git LFS, not the weights themselves. Fetch them with git lfs pull."
        )
    if _is_safetensors(beginning, size):
        return _read_safetensors(file)
    if beginning.startswith(_ZIP) and _is_torchscript(file):
        raise _not_a_checkpoint(file, "it is a TorchScript program")
    if beginning.startswith((_ZIP, _PICKLE)):
        return _read_torch(file)
    raise _not_a_checkpoint(file, f"it begins with {beginning[:16]!r}, unlike any checkpoint")


def _is_safetensors(beginning: bytes, size: int) -> bool:
    """The format begins with the length of its header, 8 bytes little-endian, and the header with a brace."""
    if len(beginning) < 9:
        return False
    (length,) = struct.unpack("<Q", beginning[:8])
    return 0 < length <= size and beginning[8:9] == b"{"


def _read_safetensors(file: Path) -> object:
    try:
        return load_file(file)
    # For a damaged file the reader may raise nearly anything.
    except Exception as error:
        raise _not_a_checkpoint(file, f"the safetensors file is damaged or truncated: {error}") from error


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    # For a damaged directory zipfile may raise nearly anything; reading the file then reports the damage.
    except Exception:
        return False


def _read_torch(file: Path) -> object:
    try:
        # Opened here, as torch would go by the suffix.
        with file.open("rb") as content, safe_globals(list(_HARMLESS)), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(content, map_location="cpu", weights_only=True)
    # torch's own message, which suggests to load the file unsafely, is not quoted.
    except Exception as error:
        if objects := _objects(file):
            raise _not_a_checkpoint(
                file,
                f"it contains objects that are not tensors ({objects}), such as a whole pickled model, "
                "and loading these could run arbitrary code",
            ) from error
        raise _not_a_checkpoint(
            file, "it is damaged, truncated, or contains objects that are not tensors"
        ) from error


def _objects(file: Path) -> str:
    """Names of the classes and functions that the file would load; empty if they are unknown."""
    try:
        with safe_globals(list(_HARMLESS)):
            names = sorted(get_unsafe_globals_in_checkpoint(str(file)))
    except Exception:
        return ""
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _not_a_checkpoint(file: Path, reason: str) -> ModelError:
    return ModelError(f"--weights {file}: not a checkpoint that can be loaded safely: {reason}. {_EXPECTED}")
