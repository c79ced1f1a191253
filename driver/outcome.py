"""What a process did: plain values, which a replica sends to its parent."""

from __future__ import annotations

from dataclasses import dataclass

from backends.base import Effective
from backends.compilation import Compilation
from measurement.loop import Measurement


@dataclass(frozen=True)
class Made:
    """How a process came to its executable: plain values, which a replica sends to its parent."""

    effective: Effective
    model_cache: str
    build_s: float
    compile_s: float
    warnings: tuple[str, ...]

    @staticmethod
    def of(compiled: Compilation) -> Made:
        return Made(
            compiled.executable.effective,
            compiled.model_cache,
            compiled.build_s,
            compiled.compile_s,
            compiled.warnings,
        )


@dataclass(frozen=True)
class Found:
    """What a process found out with it; of replicas, what they found together."""

    measurement: Measurement
    decode_errors: int
    peak_mib: float
