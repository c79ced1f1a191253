"""Selects the backend of a run, and resolves its settings."""

from __future__ import annotations

from collections.abc import Mapping

from backends import registry
from backends.poprun import poprun_instance
from driver.crashes import avoided, remembered
from measurement.configs import Config
from measurement.ipu import LaunchedReplicas
from measurement.settings import Settings, requested, resolve


def resolved(flags: Mapping[str, object], config: Config | None) -> tuple[Settings, tuple[str, ...]]:
    """The settings of the run, and their warnings.

    `--backend auto` passes over an engine that crashed on this model before, with a warning. Raises what
    `registry.choose` and `resolve` raise.
    """
    backend, device = (requested(key, flags, config) for key in ("backend", "device"))
    crashed: dict[str, str] = {}
    while True:
        chosen = registry.choose(backend, device, crashed)
        settings, warnings = resolve(
            flags, config, chosen.device_kind, chosen.name, _launched_replicas(chosen.device_kind)
        )
        crash = remembered(settings) if backend == "auto" else None
        if crash is None:
            return settings, (*crashed.values(), *warnings)
        crashed[chosen.name] = avoided(settings, crash)


def _launched_replicas(device_kind: str) -> LaunchedReplicas | None:
    """The replicas that poprun assigned to this run and this process; None on other devices or without poprun."""
    instance = poprun_instance() if device_kind == "ipu" else None
    return LaunchedReplicas(instance.total_replicas, instance.local_replicas) if instance else None
