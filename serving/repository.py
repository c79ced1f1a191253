"""The model repository: a folder per served configuration, with exports that are reused while they are valid."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from backends.base import BackendError
from backends.compilation import cache_name
from backends.model_cache import ModelCache, open_cache
from driver.model import compiled_model
from serving.errors import ServingError, ServingRefused
from serving.model_config import model_config
from serving.served_model import ROOT, ServedModel

VERSION = "1"
MODEL = Path(__file__).with_name("triton_model.py")


def open_repository(folder: Path) -> Path:
    """The folder, created if needed. Raises `ServingRefused` if it cannot be created or written to."""
    try:
        open_cache(folder)
    except BackendError:
        raise ServingRefused(
            f"--model-repository {folder}: cannot be written to, and models are exported to it; "
            "give a folder that you may write to, or leave the option out"
        ) from None
    return folder


def write_model(repository: Path, served: ServedModel) -> tuple[str, ...]:
    """Updates the model's folder for `served`. Returns warnings, single lines to print.

    Reuses an export for the same settings, weights, code, packages and CPU, and removes others. Raises what building
    and compiling raise.
    """
    folder = repository / served.name / VERSION
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(repository / served.name):
            keys, warnings = _exported(folder, served)
            _write(folder.parent / "config.pbtxt", model_config(served, keys, ROOT))
            _write(folder / "model.py", MODEL.read_text(encoding="utf-8"))
            _remove_others(folder, served, keys)
    except OSError as error:
        raise ServingRefused(
            f"--model-repository {repository}: {served.name} cannot be written ({error.strerror or error}); "
            "give a folder that you may write to, with room for the exports"
        ) from None
    return warnings


def _exported(folder: Path, served: ServedModel) -> tuple[dict[int, str], tuple[str, ...]]:
    keys, warnings = {}, list(served.weights.warnings)
    for size in served.batch_sizes:
        settings = replace(served.of_batch(size), model_cache_path=folder)
        compiled = compiled_model(settings, served.pixels, served.weights)
        compiled.executable.close()
        keys[size] = compiled.key
        warnings += compiled.warnings
        entry = ModelCache(folder).path(cache_name(settings), compiled.key)
        if not entry.exists():
            raise ServingError(
                f"{served.name} could not be exported to {entry}: {' '.join(compiled.warnings)}"
            )
    return keys, tuple(dict.fromkeys(warnings))


def _remove_others(folder: Path, served: ServedModel, keys: Mapping[int, str]) -> None:
    cache = ModelCache(folder)
    current = {cache.path(cache_name(served.settings), key) for key in keys.values()}
    for path in folder.glob("*.zip"):
        if path not in current:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """Writes the text atomically: a server that reads meanwhile sees the old file or the new one."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    unfinished = path.with_name(f".{path.name}.partial")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time write a model: a second one waits, and then finds the export."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
