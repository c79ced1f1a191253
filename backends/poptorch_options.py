"""Translates the driver's settings into PopTorch's options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from backends.poprun import poprun_instance
from backends.poptorch_device import offline_version

if TYPE_CHECKING:
    import poptorch

    from measurement.settings import Settings

PREFETCH_WITH_IO_TILES = 3
"""Micro-batches buffered on the device while I/O tiles fetch the next ones."""


def poptorch_options(settings: Settings) -> poptorch.Options:
    """New options: the first model or data loader that uses them freezes them, so each needs its own."""
    import poptorch
    import torch

    options = _replicated(settings)
    options.autoRoundNumIPUs(True)
    options.deviceIterations(settings.device_iterations)
    options.outputMode(poptorch.OutputMode.All)
    options.Precision.setPartialsType(torch.half if settings.half_partial else torch.float)
    options.enableSyntheticData(settings.data == "synthetic")
    options.showCompilationProgressBar(sys.stderr.isatty())
    options._Popart.set("engineOptions", engine_options(settings))
    if settings.enable_fast_groupnorm:
        options._Popart.set("groupNormStridedChannelGrouping", True)
    if settings.num_io_tiles:
        options.setExecutionStrategy(poptorch.ShardedExecution())
        options._Popart.set("defaultPrefetchBufferingDepth", PREFETCH_WITH_IO_TILES)
        options.TensorLocations.numIOTiles(settings.num_io_tiles)
    # Without a path, too: POPTORCH_CACHE_DIR is the default, and would make a compile time that of reading a file.
    options.enableExecutableCaching(str(settings.model_cache_path) if settings.model_cache_path else None)
    if settings.compile_only:
        options.useOfflineIpuTarget(offline_version(settings))
    return options


def engine_options(settings: Settings) -> dict[str, str]:
    """Options of the Poplar engine, as strings."""
    options = {"target.deterministicWorkers": "portable"}
    if profiles_here(settings):
        options = {
            "debug.allowOutOfMemory": "true",
            "autoReport.directory": str(settings.profile_path),
            "profiler.format": "v3",
            "autoReport.all": "true",
        }
    if settings.exchange_memory_target:
        options["opt.internalExchangeOptimisationTarget"] = settings.exchange_memory_target
    return options


def profiles_here(settings: Settings) -> bool:
    """Whether `--profile` applies to this process: under poprun, only to the first."""
    instance = poprun_instance()
    return settings.profile and (instance is None or instance.index == 0)


def _replicated(settings: Settings) -> poptorch.Options:
    import poptorch

    if poprun_instance() is None:
        options = poptorch.Options().replicationFactor(settings.replicas)
        # mpirun's processes are independent instances; PopTorch would compile one graph for all of them.
        options.Distributed.disable()
        return options
    import popdist.poptorch  # its options take the number of replicas from poprun

    return popdist.poptorch.Options(ipus_per_replica=settings.stages)
