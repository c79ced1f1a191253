"""The results of a process: plain values, which a replica sends to its parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.base import Effective
from backends.compilation import Compilation
from measurement.loop import Measurement
from measurement.peak_memory import peak_mib
from measurement.window import together


@dataclass(frozen=True)
class BuildInfo:
    """How the executable of a process was built."""

    effective: Effective
    model_cache: str
    build_s: float
    compile_s: float
    warnings: tuple[str, ...]

    @staticmethod
    def of(compiled: Compilation, more_warnings: tuple[str, ...] = ()) -> BuildInfo:
        return BuildInfo(
            compiled.executable.effective,
            compiled.model_cache,
            compiled.build_s,
            compiled.compile_s,
            (*compiled.warnings, *more_warnings),
        )


@dataclass(frozen=True)
class InstanceResult:
    """The measurement of an instance, or of several merged; `peak_mib` is the peak memory of its processes."""

    measurement: Measurement
    decode_errors: int
    peak_mib: float

    @staticmethod
    def of(measurement: Measurement, decode_errors: int) -> InstanceResult:
        """The result of this process, which has just measured."""
        before_mib = max((one.before_mib for one in measurement.memory), default=0.0)
        return InstanceResult(measurement, decode_errors, max(before_mib, peak_mib()))

    @staticmethod
    def merged(instances: Sequence[InstanceResult]) -> InstanceResult:
        """The result of all instances as one."""
        return InstanceResult(
            together([part.measurement for part in instances]),
            sum(part.decode_errors for part in instances),
            sum(part.peak_mib for part in instances),
        )
