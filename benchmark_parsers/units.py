"""Units as tools spell them, and as records hold them.

Records hold rates in samples/sec, times in ms (a latency, the time of one call) or in s (a duration, the compile
time), and memory in MiB.
"""

from __future__ import annotations

import re

from benchmark_parsers.numbers import UnreadableError
from benchmark_parsers.parsed import HIGHER, LOWER

SAMPLES_PER_SEC, MS, S, MIB, PERCENT = "samples/sec", "ms", "s", "MiB", "%"

NEVER_NEGATIVE = frozenset({SAMPLES_PER_SEC, "items/sec", "bytes/sec", MS, S, "us", "ns", MIB, "count"})
"""Units of quantities that cannot be negative, as in the result schema."""

NEVER_NEGATIVE_NAME = re.compile(r"(throughput|latency)(_(mean|avg|median|min|max|p[0-9.]+))?")

_NS_IN = {
    "ns": 1, "nsec": 1, "nanoseconds": 1,
    "us": 10**3, "usec": 10**3, "µs": 10**3, "μs": 10**3, "microseconds": 10**3,
    MS: 10**6, "msec": 10**6, "milliseconds": 10**6,
    S: 10**9, "sec": 10**9, "secs": 10**9, "seconds": 10**9,
}  # fmt: skip
# An inference of the tools that count infer/sec is one sample: they multiply by the batch size themselves.
_RATES = {
    f"{thing}{per}"
    for thing in ("samples", "sample", "imgs", "img", "images", "image", "infer", "inferences")
    for per in ("/sec", "/s", "/second")
} | {"FPS", "fps"}  # fmt: skip
_BYTES_IN = {
    "B": 1,
    "KB": 1 << 10,
    "KiB": 1 << 10,
    "MB": 1 << 20,
    MIB: 1 << 20,
    "GB": 1 << 30,
    "GiB": 1 << 30,
}


def is_never_negative(name: str) -> bool:
    """Whether a metric of this name is a throughput or a latency, and not, for example, a relative gain."""
    return NEVER_NEGATIVE_NAME.fullmatch(name) is not None


def canonical(unit: str) -> str | None:
    """Returns the unit that records hold in place of this one; None for an unknown unit."""
    if unit in _NS_IN:
        return unit if unit == S else MS
    if unit in _RATES:
        return SAMPLES_PER_SEC
    if unit in _BYTES_IN:
        return MIB
    return PERCENT if unit == PERCENT else None


def convert(value: float, unit: str, into: str) -> float:
    """Converts a value to another unit of the same kind. Raises UnreadableError if the kinds differ.

    Memory counts in powers of 1024 whatever the spelling, as in the tools that print KB and MB.
    """
    if unit == into or (unit in _RATES and into in _RATES):
        return value
    for sizes in (_NS_IN, _BYTES_IN):
        if unit in sizes and into in sizes:
            # One rounding: a product or a quotient of the value and an integer.
            of, per = sizes[unit], sizes[into]
            return value * (of // per) if of >= per else value / (per // of)
    raise UnreadableError(f"{unit!r} cannot be converted to {into!r}")


def same_unit_spelled_canonically(unit: str) -> str | None:
    """Returns `ms` for `msec`, `samples/sec` for `FPS`: units of the same size. None for an unknown unit."""
    if unit in _RATES:
        return SAMPLES_PER_SEC
    for sizes in (_NS_IN, _BYTES_IN):
        if unit in sizes:
            return next(name for name, size in sizes.items() if size == sizes[unit])
    return unit if unit == PERCENT else None


def better(unit: str | None) -> str | None:
    """Returns the better direction of a metric in this unit, if the unit alone determines it."""
    if unit is None:
        return None
    if unit in _RATES or unit.endswith(("/sec", "/s")):
        return HIGHER
    return LOWER if unit in _NS_IN or unit in _BYTES_IN else None
