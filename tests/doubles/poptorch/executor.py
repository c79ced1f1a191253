"""A compiled model, which computes eagerly on the CPU, micro-batch after micro-batch.

Half precision is kept in float32 that has been rounded to half: inputs, weights and outputs are rounded, the
sums between them are not, as a CPU takes twenty times as long for the same in half.
"""

import copy
import datetime
import enum
import hashlib
import time
from pathlib import Path

import torch
from torch import nn

from .blocks import blocks_of
from .machine import detach, log_warning, record, simulated
from .options import Options, acquire, combined_factor, refuse_offline

_overlapped: list[str] = []


class OverlapMode(enum.Enum):
    NoOverlap = "no_overlap"
    OverlapAccumulationLoop = "overlap_accumulation_loop"
    OverlapDeviceIterationLoop = "overlap_device_iteration_loop"


def set_overlap_for_input(input_tensors: torch.Tensor, mode: OverlapMode) -> torch.Tensor:
    return _overlap("input", input_tensors, mode)


def set_overlap_for_output(output_tensors: torch.Tensor, mode: OverlapMode) -> torch.Tensor:
    return _overlap("output", output_tensors, mode)


def _overlap(what: str, tensor: torch.Tensor, mode: OverlapMode) -> torch.Tensor:
    assert isinstance(tensor, torch.Tensor)
    assert isinstance(mode, OverlapMode)
    _overlapped.append(f"{what} {mode.name}")
    return tensor


def inferenceModel(model: nn.Module, options: Options | None = None) -> "PoplarExecutor":
    assert isinstance(model, nn.Module)
    if model.training:
        raise RuntimeError("the model is in training mode: call eval() before inferenceModel()")
    options = options or Options()
    options._used()
    return PoplarExecutor(copy.copy(model), options)


class PoplarExecutor:
    def __init__(self, model: nn.Module, options: Options) -> None:
        self._options = options
        self._dtype = next(model.parameters()).dtype
        assert {parameter.dtype for parameter in model.parameters()} == {self._dtype}
        self._eager = copy.deepcopy(model).float()
        self._blocks = blocks_of(model)
        self._ipus = len({0, *self._blocks.values()})
        self._input: tuple[torch.Size, torch.dtype] | None = None
        self._latency_s: tuple[float, float, float] | None = None
        self._attached = self._destroyed = False
        self._compilation_s = 0.0

    def compile(self, *in_tensors: torch.Tensor) -> None:
        """Compiles for these shapes, once, and for the device that it finds."""
        self._alive()
        if self._input is not None:
            log_warning("Call to compile() ignored: the model is already compiled")
            return
        (pixels,) = in_tensors
        options, factor = self._options, combined_factor(self._options)
        if pixels.shape[0] % factor:
            raise RuntimeError(
                f"Input[0]: batch size {pixels.shape[0]} is not a multiple of deviceIterations × "
                f"replicationFactor × gradientAccumulation = {factor}"
            )
        if pixels.dtype.is_floating_point and pixels.dtype != self._dtype:
            raise RuntimeError(f"inputs of {pixels.dtype} for weights of {self._dtype}")
        _check_strategy(options, self._ipus)
        acquire(self, options, self._ipus)
        start_s = time.perf_counter()
        _overlapped.clear()
        self._classes = self._computed(pixels[:1]).shape[-1]
        _check_overlap(options)
        self._input, cached = (pixels.shape, pixels.dtype), self._cached(pixels)
        self._compilation_s = time.perf_counter() - start_s
        record(
            "compile",
            options=options.toDict(),
            blocks=self._blocks,
            dtype=str(self._dtype),
            input=[list(pixels.shape), str(pixels.dtype)],
            micro_batch_size=pixels.shape[0] // factor,
            overlapped=list(_overlapped),
            from_executable_cache=cached,
        )

    def __call__(self, *in_tensors: torch.Tensor) -> torch.Tensor:
        self._alive()
        (pixels,) = in_tensors
        if self._input is None:
            self.compile(pixels)
        if (pixels.shape, pixels.dtype) != self._input:
            raise RuntimeError(f"Input[0]: {pixels.shape} {pixels.dtype}, compiled for {self._input}")
        refuse_offline(self._options)
        self._attached = True
        record("call", samples=pixels.shape[0])
        if self._options.toDict()["synthetic_data"]:
            # The host's outputs are never written: whoever reads them finds no numbers.
            return torch.full((pixels.shape[0], self._classes), torch.nan, dtype=self._dtype)
        outputs, times_s = [], []
        for micro_batch in pixels.chunk(combined_factor(self._options)):
            start_s = time.perf_counter()
            outputs.append(self._computed(micro_batch))
            times_s.append(time.perf_counter() - start_s)
        self._latency_s = min(times_s), max(times_s), sum(times_s) / len(times_s)
        record("latency", seconds=self._latency_s)
        return torch.cat(outputs)

    def getLatency(self) -> tuple[float, float, float]:
        return self._latency()

    def getComputeLatency(self) -> tuple[float, float, float]:
        return self._latency()

    def getHostIpuLatency(self) -> tuple[float, float, float]:
        self._latency()
        return 0.0, 0.0, 0.0

    def getIpuHostLatency(self) -> tuple[float, float, float]:
        self._latency()
        return 0.0, 0.0, 0.0

    def isCompiled(self) -> bool:
        return self._input is not None

    def isAttachedToDevice(self) -> bool:
        return self._attached

    def compilationTime(self) -> datetime.timedelta:
        self._alive()
        assert self._input is not None, "not compiled yet"
        assert self._options.toDict()["compilation_progress_bar"], "the progress bar is off"
        return datetime.timedelta(seconds=self._compilation_s)

    def destroy(self) -> None:
        self._alive()
        self._destroyed = True
        detach(self)
        record("destroy")

    def _alive(self) -> None:
        if self._destroyed:
            raise RuntimeError("the executor was destroyed")

    def _latency(self) -> tuple[float, float, float]:
        self._alive()
        if self._options.toDict()["synthetic_data"]:
            return 0.0, 0.0, 0.0
        assert self._latency_s is not None, "the model has not run yet"
        return self._latency_s

    def _computed(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            given = pixels.float() if pixels.dtype.is_floating_point else pixels
            outputs: torch.Tensor = self._eager(given).to(self._dtype)
        return outputs

    def _cached(self, pixels: torch.Tensor) -> bool:
        """Whether the executable was taken from the cache, into which it is put otherwise."""
        folder = self._options.toDict()["executable_cache"]
        if folder is None:
            return False
        if simulated():
            log_warning("enableExecutableCaching doesn't work with the IPU model")
            return False
        known = f"{self._eager} {pixels.shape} {pixels.dtype} {self._dtype}"
        file = Path(folder) / f"{hashlib.sha256(known.encode()).hexdigest()[:16]}.popef"
        if file.exists():
            return True
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        return False


def _check_strategy(options: Options, ipus: int) -> None:
    planned = options._values["ipus_per_replica"]
    if planned not in (None, ipus):
        raise RuntimeError(f"popdist planned {planned} IPUs a replica, the model takes {ipus}")
    if options._values["execution"] == "pipelined" and options.device_iterations < ipus:
        raise RuntimeError(f"deviceIterations must be at least the number of pipeline stages ({ipus})")


def _check_overlap(options: Options) -> None:
    """Overlapping I/O needs tiles for it, execution without a pipeline, and both ends of the model marked."""
    if not _overlapped:
        return
    known = options.toDict()
    if not known["num_io_tiles"] or known["execution"] != "sharded":
        raise RuntimeError("overlapped I/O needs numIOTiles and ShardedExecution")
    if [mark.split()[0] for mark in _overlapped] != ["input", "output"]:
        raise RuntimeError(f"overlap of {_overlapped}")
