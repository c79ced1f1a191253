"""Settings: flags override the configuration, which overrides the defaults; frozen from here on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measurement.configs import Config
from measurement.core_budget import check_core_budget
from measurement.errors import SettingsError
from measurement.ipu import LaunchedReplicas, check_ipu_options, ipu_warnings, replicas_of_launcher
from measurement.machine import available_cores, quota_warnings
from measurement.no_effect import without_effect
from measurement.options import BY_KEY, OPTIONS

DROPPED_HOST_CALLS = 2
"""Host calls that are never measured, whatever `--warmup` is: engines still allocate memory in them."""

DEFAULT_ITERATIONS = 100


@dataclass(frozen=True)
class Settings:
    """Every option of the driver after flags, configuration and defaults.

    At least one of `iterations` and `duration_s` is set. None in `threads`, `dataloader_worker`,
    `norm_eps` and `batchnorm_momentum` means a default that depends on machine or model.
    `origin` is where each value came from: the command line, the configuration or the default.
    """

    config: str | None
    model: str
    weights: str
    norm_type: str
    norm_eps: float | None
    norm_num_groups: int
    batchnorm_momentum: float | None
    efficientnet_expand_ratio: int
    efficientnet_group_dim: int
    input_image_padding: bool
    list_layers: bool
    data: str
    images: Path
    labels: Path | None
    cache_images: bool
    dataloader_worker: int | None
    dataloader_rebatch_size: int | None
    normalization_location: str
    eight_bit_io: bool
    micro_batch_size: int
    device_iterations: int
    replicas: int
    pipeline_splits: tuple[str, ...]
    iterations: int | None
    duration_s: float | None
    warmup: int
    precision: str
    backend: str
    backend_requested: str
    device: str
    threads: int | None
    streams: int | None
    model_cache_path: Path | None
    compile_only: bool
    profile: bool
    profile_path: Path | None
    half_partial: bool
    enable_fast_groupnorm: bool
    exchange_memory_target: str | None
    num_io_tiles: int
    offline_target_ipu_version: str | None
    origin: Mapping[str, str]

    @property
    def replica_processes(self) -> int:
        """The number of replica processes; on IPUs all replicas are in one."""
        return 1 if self.device == "ipu" else self.replicas

    @property
    def micro_batches_per_host_call(self) -> int:
        """Micro-batches in one host call of one process."""
        return self.device_iterations * (self.replicas // self.replica_processes)

    @property
    def samples_per_host_call(self) -> int:
        """Images in one host call of one process."""
        return self.micro_batch_size * self.micro_batches_per_host_call

    @property
    def stages(self) -> int:
        """Parts of the model that run concurrently in one replica."""
        return len(self.pipeline_splits) + 1


def requested(key: str, flags: Mapping[str, object], config: Config | None) -> Any:
    """The value of `key` before the device is known: from the flag, else the configuration, else the default."""
    if key in flags:
        return flags[key]
    if config is not None and key in config.values:
        return config.values[key]
    return BY_KEY[key].default


def resolve(
    flags: Mapping[str, object],
    config: Config | None,
    device_kind: str,
    backend: str,
    launched: LaunchedReplicas | None = None,
) -> tuple[Settings, tuple[str, ...]]:
    """The settings of a run on `backend`, and their one-line warnings.

    `device_kind` (`cpu`, `cuda`, `ipu`) selects the configuration's overrides; `launched` replicas override
    `--replicas`. Raises `SettingsError` if two options cannot work together.
    """
    layers: list[tuple[str, Mapping[str, object]]] = [("flag", flags)]
    if config is not None:
        layers.append((f"configuration {config.name}", config.for_device(device_kind)))
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for option in OPTIONS:
        layer = next(((where, given) for where, given in layers if option.key in given), None)
        origin[option.key] = layer[0] if layer else "default"
        values[option.key] = layer[1][option.key] if layer else option.default

    warnings: list[str] = []
    values["weights"], origin["weights"] = _weights(layers)
    del values["random_weights"], origin["random_weights"]
    values["backend_requested"] = values["backend"]
    values["backend"], values["device"] = backend, device_kind
    values["images"] = Path(values["images"])
    for key in ("labels", "model_cache_path", "profile_path"):
        values[key] = Path(values[key]) if values[key] else None
    values["duration_s"], values["iterations"] = _length(values.pop("duration"), values["iterations"], layers)
    if values["eight_bit_io"] and values["normalization_location"] == "host":
        values["normalization_location"] = "ipu"
        warnings.append(
            "--eight-bit-io with --normalization-location host: pixels normalised on the host are no longer 8-bit, "
            "so normalisation moves into the compiled model (--normalization-location ipu)"
        )
    values["pipeline_splits"] = tuple(values["pipeline_splits"] or ())
    if values["compile_only"] and values["replicas"] > 1 and device_kind != "ipu":
        warnings.append(
            f"no effect with --compile-only (one copy is compiled): --replicas {values['replicas']}"
        )
        values["replicas"] = 1
    if launched is not None:
        warnings += replicas_of_launcher(values, launched)
        values["replicas"], origin["replicas"] = launched.local, "launcher"
    warnings += quota_warnings()
    warnings += check_core_budget(values, device_kind, available_cores())
    if device_kind == "ipu":
        check_ipu_options(values)
        warnings += ipu_warnings(values)
    else:
        _check_artefacts(values)
    warnings += without_effect({**values, "duration": values["duration_s"]}, origin)
    return Settings(**values, origin=origin), tuple(warnings)


def _check_artefacts(values: Mapping[str, Any]) -> None:
    """Raises `SettingsError` unless profiles and cached models are of one whole model in one process."""
    if values["profile"] and values["compile_only"]:
        raise SettingsError(
            "--profile and --compile-only are mutually exclusive: --profile needs host calls, and --compile-only runs "
            "none; give one of the two"
        )
    if values["profile"] and values["replicas"] > 1:
        raise SettingsError(
            f"--profile with --replicas {values['replicas']}: replicas would disturb each other's profiles; "
            "give --replicas 1, or leave --profile out"
        )
    splits = values.get("pipeline_splits")
    for key in ("profile", "model_cache_path"):
        if splits and values[key]:
            raise SettingsError(
                f"{BY_KEY[key].flag} with --pipeline-splits {' '.join(splits)}: only whole models can be "
                f"{'profiled' if key == 'profile' else 'cached'}; leave one of the two out"
            )


def _weights(layers: list[tuple[str, Mapping[str, object]]]) -> tuple[str, str]:
    for where, given in layers:
        named, random = given.get("weights"), given.get("random_weights")
        if named is not None and random is not None and random != (named == "random"):
            flag = "--random-weights" if random else "--no-random-weights"
            raise SettingsError(f"{flag} and --weights {named} are mutually exclusive: give one of the two")
        if random:
            return "random", where
        if named is not None:
            return str(named), where
        if random is not None:
            return "auto", where
    return "auto", "default"


def _length(
    duration_s: float | None, iterations: int | None, layers: list[tuple[str, Mapping[str, object]]]
) -> tuple[float | None, int | None]:
    """The limits of the run; a flag for one of them replaces the configuration's other one."""
    flags = layers[0][1]
    if "iterations" in flags and "duration" not in flags:
        return None, iterations
    if "duration" in flags and "iterations" not in flags:
        return duration_s, None
    if duration_s is None and iterations is None:
        return None, DEFAULT_ITERATIONS
    return duration_s, iterations
