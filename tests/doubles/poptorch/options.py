"""Options: chainable setters, frozen by their first use."""

import copy
import enum
import os

import torch

from . import machine


class ConnectionType(enum.IntEnum):
    Always = 0
    OnDemand = 1
    Never = 2


class OutputMode(enum.IntEnum):
    Final = 0
    EveryN = 1
    All = 2
    Sum = 3
    Default = 4


class PipelinedExecution:
    def __init__(self, *args: object) -> None:
        self._args = args


class ShardedExecution:
    def __init__(self) -> None:
        pass


class _Freezable:
    """Values under fixed names; setting any other name, or any at all once frozen, is an error."""

    def __init__(self, **values: object) -> None:
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_is_frozen", False)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} has no attribute {name} that can be set")

    def _set(self, name: str, value: object) -> None:
        if self._is_frozen:
            raise AttributeError("Can't modify frozen Options")
        assert name in self._values, name
        self._values[name] = value

    def _freeze(self) -> None:
        object.__setattr__(self, "_is_frozen", True)

    def __deepcopy__(self, memo: dict) -> "_Freezable":
        twin = object.__new__(type(self))
        object.__setattr__(twin, "_values", copy.deepcopy(self._values, memo))
        object.__setattr__(twin, "_is_frozen", False)
        return twin


class _Precision(_Freezable):
    def __init__(self) -> None:
        super().__init__(partials=None)

    def setPartialsType(self, dtype: torch.dtype) -> "_Precision":
        if dtype not in (torch.half, torch.float):
            raise ValueError(f"partials of {dtype}: expected torch.half or torch.float")
        self._set("partials", str(dtype))
        return self


class _TensorLocations(_Freezable):
    def __init__(self) -> None:
        super().__init__(num_io_tiles=0)

    def numIOTiles(self, num_tiles: int) -> "_TensorLocations":
        assert isinstance(num_tiles, int)
        assert not isinstance(num_tiles, bool)
        assert 32 <= num_tiles <= 192, "numIOTiles must be between 32 and 192"
        assert num_tiles % 2 == 0, "numIOTiles must be even"
        self._set("num_io_tiles", num_tiles)
        return self


class _Popart(_Freezable):
    def __init__(self) -> None:
        super().__init__(settings={})

    def set(self, key: str, value: object) -> "_Popart":
        if key == "engineOptions":
            assert isinstance(value, dict)
            assert all(type(part) is str for pair in value.items() for part in pair), value
        elif key == "groupNormStridedChannelGrouping":
            assert isinstance(value, bool)
        elif key == "defaultPrefetchBufferingDepth":
            assert type(value) is int
        else:
            raise RuntimeError(f"Unknown Popart option {key}")
        self._set("settings", {**self._values["settings"], key: value})
        return self


class _Distributed(_Freezable):
    """By default what Open MPI's variables describe, whoever set them."""

    def __init__(self) -> None:
        size, rank = (int(os.environ.get(f"OMPI_COMM_WORLD_{name}", "0")) for name in ("SIZE", "RANK"))
        super().__init__(processes=max(size, 1), process=rank)

    def disable(self) -> "_Distributed":
        self._set("processes", 1)
        self._set("process", 0)
        return self

    @property
    def numProcesses(self) -> int:
        return self._values["processes"]

    @property
    def processId(self) -> int:
        return self._values["process"]


class _Training(_Freezable):
    @property
    def gradient_accumulation(self) -> int:
        return 1


class Options(_Freezable):
    def __init__(self) -> None:
        super().__init__(
            device_iterations=1,
            replication_factor=1,
            executable_cache=os.environ.get("POPTORCH_CACHE_DIR") or None,
            synthetic_data=False,
            execution="pipelined",
            offline_target=None,
            connection_type="Always",
            available_memory={},
            output_mode="Default",
            output_return_period=None,
            random_seed=None,
            log_dir=None,
            model_name=None,
            profiling=None,
            compilation_progress_bar=True,
            auto_round_num_ipus=False,
            ipus_per_replica=None,
        )
        for name, part in (
            ("Precision", _Precision()),
            ("TensorLocations", _TensorLocations()),
            ("_Popart", _Popart()),
            ("Distributed", _Distributed()),
            ("Training", _Training()),
        ):
            object.__setattr__(self, name, part)

    def deviceIterations(self, device_iterations: int) -> "Options":
        assert type(device_iterations) is int
        assert device_iterations >= 1
        return self._with("device_iterations", device_iterations)

    def replicationFactor(self, replication_factor: int) -> "Options":
        assert type(replication_factor) is int
        assert replication_factor >= 1
        return self._with("replication_factor", replication_factor)

    def enableExecutableCaching(self, path: str | None) -> "Options":
        assert path is None or type(path) is str
        return self._with("executable_cache", path)

    def enableSyntheticData(self, enabled: bool) -> "Options":
        assert type(enabled) is bool
        return self._with("synthetic_data", enabled)

    def setExecutionStrategy(self, strategy: PipelinedExecution | ShardedExecution) -> "Options":
        assert isinstance(strategy, (PipelinedExecution, ShardedExecution))
        return self._with("execution", "sharded" if isinstance(strategy, ShardedExecution) else "pipelined")

    def useOfflineIpuTarget(self, ipu_version: int = 2) -> "Options":
        assert type(ipu_version) is int
        assert ipu_version in (1, 2, 21), ipu_version
        self._with("connection_type", "Never")
        return self._with("offline_target", ipu_version)

    def connectionType(self, connection_type: ConnectionType) -> "Options":
        assert isinstance(connection_type, ConnectionType)
        return self._with("connection_type", connection_type.name)

    def setAvailableMemoryProportion(self, proportions: dict[str, float]) -> "Options":
        assert all(key.startswith("IPU") for key in proportions), "keys must start with IPU"
        return self._with("available_memory", dict(proportions))

    def outputMode(self, output_mode: OutputMode, output_return_period: int | None = None) -> "Options":
        assert isinstance(output_mode, OutputMode)
        self._with("output_return_period", output_return_period)
        return self._with("output_mode", output_mode.name)

    def randomSeed(self, random_seed: int) -> "Options":
        assert type(random_seed) is int
        return self._with("random_seed", random_seed)

    def logDir(self, log_dir: str) -> "Options":
        assert type(log_dir) is str
        return self._with("log_dir", log_dir)

    def modelName(self, name: str) -> "Options":
        assert type(name) is str
        return self._with("model_name", name)

    def enableProfiling(self, profile_dir: str | None = None) -> "Options":
        assert profile_dir is None or type(profile_dir) is str
        return self._with("profiling", profile_dir or ".")

    def showCompilationProgressBar(self, show: bool = True) -> "Options":
        assert type(show) is bool
        return self._with("compilation_progress_bar", show)

    def autoRoundNumIPUs(self, auto_round_num_ipus: bool = True) -> "Options":
        assert type(auto_round_num_ipus) is bool
        return self._with("auto_round_num_ipus", auto_round_num_ipus)

    @property
    def device_iterations(self) -> int:
        return self._values["device_iterations"]

    @property
    def replication_factor(self) -> int:
        return self._values["replication_factor"]

    def clone(self) -> "Options":
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict) -> "Options":
        twin = super().__deepcopy__(memo)
        for name in ("Precision", "TensorLocations", "_Popart", "Distributed", "Training"):
            object.__setattr__(twin, name, copy.deepcopy(getattr(self, name), memo))
        return twin

    def toDict(self) -> dict[str, object]:
        return {
            **self._values,
            **self.Precision._values,
            **self.TensorLocations._values,
            **self._Popart._values["settings"],
            "processes": self.Distributed.numProcesses,
            "process": self.Distributed.processId,
        }

    def _with(self, name: str, value: object) -> "Options":
        self._set(name, value)
        return self

    def _used(self) -> None:
        """Frozen from now on, all parts of it."""
        for part in (
            self,
            self.Precision,
            self.TensorLocations,
            self._Popart,
            self.Distributed,
            self.Training,
        ):
            part._freeze()


def combined_factor(options: Options) -> int:
    """Micro-batches in one host call of this process."""
    return options.device_iterations * options.replication_factor * options.Training.gradient_accumulation


def acquire(model: object, options: Options, ipus_per_replica: int) -> None:
    """Fails as compiling does that finds no device, or not enough of them, or the wrong kind."""
    offline = options._values["connection_type"] == "Never"
    if machine.simulated():
        if offline:
            raise RuntimeError("poptorch.Options.useOfflineIpuTarget not supported for the IPU model")
        return
    if offline:
        return
    if options.Distributed.numProcesses > 1 and options._values["ipus_per_replica"] is None:
        raise RuntimeError(f"one graph over {options.Distributed.numProcesses} processes, without popdist")
    count = options.replication_factor * ipus_per_replica
    reserved = machine.reserved(count)
    if reserved != count:
        if not options._values["auto_round_num_ipus"]:
            raise RuntimeError(
                f"The model specifies the use of {count} IPUs, however PopTorch must reserve a minimum of {reserved}"
            )
        machine.log_warning(f"Reserving {reserved} IPUs when the model specifies the use of only {count}")
    machine.attach(model, reserved)


def refuse_offline(options: Options) -> None:
    """Fails as a run does on a device that exists only for the compiler."""
    if options._values["connection_type"] == "Never":
        raise RuntimeError("Trying to run a model on an offline device (ConnectionType.Never)")
