"""Refuses what a run of many processes does not support, before anything costly is done."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from driver.instances.group import Group
from measurement.errors import SettingsError

if TYPE_CHECKING:
    from measurement.settings import Settings


def refuse_unsupported(settings: Settings, group: Group) -> None:
    """Raises `SettingsError` for unsupported settings of several instances. To be called by all instances."""
    if group.count == 1:
        return
    everyones = group.gather(settings)
    for other in everyones:
        for field in fields(other):
            ours, theirs = getattr(everyones[0], field.name), getattr(other, field.name)
            if ours != theirs:
                raise SettingsError(
                    f"the instances have different settings ({field.name}: {ours} and {theirs}): start all with the "
                    "same flags, on hosts with the same packages"
                )
    if settings.device == "cuda":
        raise SettingsError(
            f"--device cuda in {group.count} instances: several instances are not supported on CUDA; give "
            "--device cpu, or leave the launcher out"
        )
    if settings.device == "cpu" and settings.profile:
        raise SettingsError(
            f"--profile in {group.count} instances: instances would disturb each other's profiles; "
            "leave the launcher out, or --profile"
        )
