"""The instances of a run: one interface for all launchers."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Protocol, TypeVar

from driver.instances.errors import LaunchError
from driver.instances.launch import detect, under_poprun
from measurement.errors import SettingsError
from measurement.loop import Peers
from measurement.settings import Settings

T = TypeVar("T")

JOIN_TIMEOUT_S = 25.0
"""Instances load torch and join within seconds of each other; models are built later."""


class Group(Peers, Protocol):
    """All instances of a run; `index` counts from 0."""

    @property
    def launcher(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings about how the instances were started."""

    def gather(self, value: T) -> list[T]:
        """The picklable `value` of each instance, in the order of their indices, at all instances."""

    def close(self, error: BaseException | None = None) -> None:
        """Leaves the group: after the last `gather`, or because of an `error`, which is sent to the others."""


@dataclass(frozen=True)
class Alone:
    """An ordinary run: one process."""

    launcher: str = "none"
    index: int = 0
    count: int = 1
    remarks: tuple[str, ...] = ()

    def gather(self, value: T) -> list[T]:
        return [value]

    def barrier(self) -> None:
        pass

    def all_reached(self) -> bool:
        return True

    def close(self, error: BaseException | None = None) -> None:
        pass


def line_prefix(group: Group) -> str:
    """The prefix of the lines of each host call; empty in an ordinary run."""
    return f"[instance{group.index + 1}/{group.count}] " if group.count > 1 else ""


@contextmanager
def joined(environment: Mapping[str, str]) -> Iterator[Group]:
    """Joins the group of this process, and leaves it at the end, with the error if there is one.

    Raises `LaunchError` for an environment that cannot work, `InstanceLost` if others do not join.
    """
    group = _join(environment)
    try:
        yield group
    except BaseException as error:
        group.close(error)
        raise
    group.close()


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


def _join(environment: Mapping[str, str]) -> Group:
    if _popdist_is_asked(environment):
        from driver.instances.poprun import PopdistGroup

        popdist = PopdistGroup.join()
        if popdist is not None:
            return popdist
    launch = detect(environment)
    if launch is None:
        return Alone()
    # torch reads it at import, and would log each timeout that becomes an error message here.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    from driver.instances.gloo import GlooGroup

    return GlooGroup.join(launch, JOIN_TIMEOUT_S)


def _popdist_is_asked(environment: Mapping[str, str]) -> bool:
    """Whether to ask popdist, which alone knows its environment: poprun starts processes through Open MPI."""
    installed = importlib.util.find_spec("popdist") is not None
    if under_poprun(environment) and not installed:
        raise LaunchError(
            "poprun started this process (POPDIST_… is set), but popdist is not installed: enable the Poplar SDK "
            "(source SDK/enable) for IPUs; on the CPU use torchrun, mpirun or srun instead of poprun"
        )
    return installed and (under_poprun(environment) or "OMPI_COMM_WORLD_RANK" in environment)
