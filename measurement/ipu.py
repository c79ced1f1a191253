"""Checks of options on an IPU: combinations that are refused, and those with a warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from measurement.errors import SettingsError


@dataclass(frozen=True)
class LaunchedReplicas:
    """The replicas that a launcher (poprun) distributed over its processes: in all, and in this process."""

    total: int
    local: int


def replicas_of_launcher(values: Mapping[str, Any], launched: LaunchedReplicas) -> list[str]:
    """A warning if `--replicas` differs from the launcher, which takes precedence."""
    if values["replicas"] == launched.total:
        return []
    return [
        f"--replicas {values['replicas']}: poprun started this run with {launched.total} replicas in all, "
        f"which takes precedence; give --replicas {launched.total}, or poprun --num-replicas "
        f"{values['replicas']}"
    ]


def check_ipu_options(values: Mapping[str, Any]) -> None:
    """Raises `SettingsError` if the options `values` cannot work together on an IPU."""
    version = values["offline_target_ipu_version"]
    if version and not values["compile_only"]:
        raise SettingsError(
            f"--offline-target-ipu-version {version}: a model compiled for an absent IPU cannot be run; "
            "add --compile-only, or leave the option out"
        )
    splits, iterations = values["pipeline_splits"], values["device_iterations"]
    stages = len(splits) + 1
    if splits and not values["num_io_tiles"] and iterations < stages:
        raise SettingsError(
            f"--pipeline-splits {' '.join(splits)} with --device-iterations {iterations}: a host call needs one "
            f"micro-batch for each of the {stages} stages; give --device-iterations {stages} or more "
            f"({8 * stages} keep the stages busy most of the time)"
        )
    rebatch = values["dataloader_rebatch_size"]
    combined = values["micro_batch_size"] * values["device_iterations"] * values["replicas"]
    loads = values["data"] == "real" and not values["cache_images"]
    if loads and rebatch and rebatch > combined:
        raise SettingsError(
            f"--dataloader-rebatch-size {rebatch}: a worker cannot take more images at a time than a host call has, "
            f"which is micro-batch × device iterations × replicas = {combined}; give {combined} or fewer"
        )


def ipu_warnings(values: Mapping[str, Any]) -> list[str]:
    """One line for each combination that works, but not as a user might expect."""
    warnings = []
    splits = values["pipeline_splits"]
    if splits and values["num_io_tiles"]:
        warnings.append(
            f"--pipeline-splits {' '.join(splits)} with --num-io-tiles {values['num_io_tiles']}: overlapping I/O needs "
            "sharded execution, which runs the stages one at a time; leave one of the two out for a pipeline"
        )
    if values["profile"] and not values["compile_only"]:
        warnings.append(
            "--profile: Poplar instruments the measured program, which takes time and memory on the IPU; "
            "do not use the results of this run"
        )
    return warnings
