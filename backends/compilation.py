"""Compiles a model, or restores it from the model cache, which saves building it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from backends.artefact_key import artefact_key
from backends.base import (
    Artefact,
    AutonomousBackend,
    Backend,
    Batch,
    Executable,
    KeepingBackend,
    engine_errors,
)
from backends.breadcrumbs import leave_breadcrumb
from backends.model_cache import Entry, ModelCache, UnusableEntry
from measurement.settings import Settings

if TYPE_CHECKING:
    import torch

Build: TypeAlias = "Callable[[], tuple[torch.nn.Module, tuple[str, ...]]]"
"""Builds the model, ready for its input; returns it with the warnings to print."""


@dataclass(frozen=True)
class Compilation:
    """`model_cache` is `hit`, `miss`, `off` or `the engine's own`; the times are wall times, 0 for steps not needed.

    `warnings` are single lines to print, of the model and of the cache. `key` is the key of the model's cache entry
    under `cache_name`; empty without a cache.
    """

    executable: Executable
    model_cache: str
    build_s: float
    compile_s: float
    warnings: tuple[str, ...]
    key: str = ""


def cache_name(settings: Settings) -> str:
    """The name of a model's cache entries, to which the key is added."""
    return f"{settings.model}-{settings.backend}"


def compile_model(
    backend: Backend,
    build: Build,
    example: Batch,
    settings: Settings,
    cache: ModelCache | None = None,
    identity: Callable[[], Mapping[str, str]] = dict,
) -> Compilation:
    """The executable for `settings`; with a `cache`, calls `build` only for a model that the cache does not contain.

    To be called in the main thread, which loads the engine.

    Args:
        identity: Returns what identifies the model in addition to the settings.

    Raises:
        BackendError: The engine refuses the model.
        EngineError: The engine fails.
        Exception: Whatever `build` raises.
    """
    leave_breadcrumb(engine=backend.name, phase="importing")
    start_s, timed, key = time.perf_counter(), _TimedBuild(build, settings, example.nbytes), ""
    with engine_errors(settings, example.nbytes):
        backend.load()
    if cache is None:
        executable, state, warnings = _compile(backend, timed, example, settings), "off", timed.warnings
    elif isinstance(backend, AutonomousBackend):
        executable, state = _compile(backend, timed, example, settings), "the engine's own"
        warnings = timed.warnings
    elif not isinstance(backend, KeepingBackend):
        executable, state = _compile(backend, timed, example, settings), "off"
        warnings = (
            *timed.warnings,
            f"--model-cache-path has no effect with --backend {backend.name}, which exports nothing to cache",
        )
    else:
        key = artefact_key(settings, example, identity(), backend.artefact_settings)
        executable, state, warnings = _by_cache(backend, timed, example, settings, cache, key)
    compile_s = time.perf_counter() - start_s - timed.seconds
    return Compilation(executable, state, timed.seconds, compile_s, warnings, key)


class _TimedBuild:
    def __init__(self, build: Build, settings: Settings, micro_batch_bytes: int) -> None:
        self._build, self._settings, self._micro_batch_bytes = build, settings, micro_batch_bytes
        self.seconds = 0.0
        self.warnings: tuple[str, ...] = ()

    def __call__(self) -> torch.nn.Module:
        start_s = time.perf_counter()
        leave_breadcrumb(engine="torch", phase="building the model")
        with engine_errors(self._settings, self._micro_batch_bytes, "timm"):
            module, self.warnings = self._build()
        self.seconds = time.perf_counter() - start_s
        return module


def _compile(backend: Backend, build: _TimedBuild, example: Batch, settings: Settings) -> Executable:
    module = build()
    with engine_errors(settings, example.nbytes):
        return backend.compile(module, example, settings)


def _by_cache(
    backend: KeepingBackend,
    build: _TimedBuild,
    example: Batch,
    settings: Settings,
    cache: ModelCache,
    key: str,
) -> tuple[Executable, str, tuple[str, ...]]:
    name = cache_name(settings)
    ignored: tuple[str, ...] = ()
    try:
        if entry := cache.read(name, key):
            return _restored(backend, entry.artefact, build, example, settings), "hit", entry.warnings
    except UnusableEntry as reason:
        ignored = (f"{cache.path(name, key)} is ignored and rewritten: {reason}",)
    module = build()
    with engine_errors(settings, example.nbytes):
        executable, artefact = backend.compile_and_keep(module, example, settings)
    try:
        cache.write(name, key, Entry(artefact, build.warnings))
    except OSError as error:
        ignored += (f"the model could not be cached in --model-cache-path {cache.folder}: {error}",)
    return executable, "miss", (*build.warnings, *ignored)


def _restored(
    backend: KeepingBackend, artefact: Artefact, build: _TimedBuild, example: Batch, settings: Settings
) -> Executable:
    try:
        return backend.restore(artefact, build, example, settings)
    # Engines share no exception type. An engine that fails for another reason fails again on the model that is then
    # built, and is quoted there.
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise UnusableEntry(f"{backend.name} cannot load it ({type(error).__name__}: {message})") from error
