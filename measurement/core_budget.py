"""Checks that replicas, stages and threads have enough cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from measurement.errors import SettingsError


def check_core_budget(values: Mapping[str, Any], device_kind: str, cores: int) -> list[str]:
    """Warnings about `--replicas` and `--pipeline-splits` on a machine with this number of `cores`.

    Raises `SettingsError` if there are fewer cores than stages or threads: they could run, but would share cores, which
    would measure the scheduler instead of a pipeline. An IPU has neither limit.
    """
    replicas, splits, threads = values["replicas"], values["pipeline_splits"], values["threads"]
    engines = replicas * (len(splits) + 1)
    if engines == 1 and device_kind == "cpu" and threads is not None and threads > cores:
        raise SettingsError(
            f"--threads {threads}: this process may use {cores} cores, and more threads than that would share cores; "
            f"give --threads {cores} or fewer, or leave it out"
        )
    if engines == 1 or device_kind == "ipu":
        return []
    asked = _asked(replicas, splits)
    if device_kind != "cpu":
        raise SettingsError(f"{asked}: supported on the CPU only; give --device cpu, or leave it out")
    if replicas > cores:
        raise SettingsError(
            f"--replicas {replicas}: each needs a core of its own, and this process may use {cores}; "
            f"give --replicas {cores} or fewer"
        )
    if engines > cores:
        raise SettingsError(
            f"{asked}: {engines} stages need a core each, and this process may use {cores}; {_remedy(replicas, cores)}"
        )
    own = cores // engines
    if threads is not None and threads > own:
        raise SettingsError(
            f"--threads {threads} with {asked}: each of the {engines} has {own} of the {cores} cores; "
            f"give --threads {own} or fewer, or leave it out"
        )
    return [*_idle_cores(asked, engines, cores), *_no_overlap(splits, values["device_iterations"])]


def _asked(replicas: int, splits: tuple[str, ...]) -> str:
    flags = [f"--replicas {replicas}"] if replicas > 1 else []
    return " ".join([*flags, "--pipeline-splits", *splits] if splits else flags)


def _remedy(replicas: int, cores: int) -> str:
    most = cores // replicas - 1
    if most == 0:
        return "leave --pipeline-splits out" + (f", or give --replicas {cores // 2} or fewer" * (cores > 1))
    return f"name {most} layer{'s' * (most > 1)} or fewer"


def _idle_cores(asked: str, engines: int, cores: int) -> list[str]:
    idle = cores % engines
    if not idle:
        return []
    return [f"{asked}: cores are shared equally, so {idle} of the {cores} stay{'s' * (idle == 1)} idle"]


def _no_overlap(splits: tuple[str, ...], device_iterations: int) -> list[str]:
    if not splits or device_iterations > 1:
        return []
    return [
        f"--pipeline-splits {' '.join(splits)} with --device-iterations 1: with one micro-batch at a time the stages "
        "run one after the other, without overlap; give --device-iterations 8 or more"
    ]
