"""Which figures follow the speed of the machine, and in which direction."""

from __future__ import annotations

import re

_TIMES = {"ns", "us", "µs", "ms", "s", "sec", "seconds", "min", "h"}
_RATE = re.compile(r"/\s*(s|sec|second|min|h)\b|^(fps|qps|it/s)$|per second", re.IGNORECASE)
_SPEED_WORDS = re.compile(r"throughput|latency|time|duration|rate|fps|qps|speed|seconds", re.IGNORECASE)


def slowness_sign(metric: str, unit: str | None, direction: str | None) -> int:
    """+1 for a figure that rises as the machine gets slower, −1 for one that falls, 0 for one that does not follow.

    Times and rates follow; bytes, shares and counts do not. Where nobody says the unit, the metric's name decides.
    """
    if direction not in ("lower", "higher"):
        return 0
    follows = _SPEED_WORDS.search(metric) if unit is None else unit in _TIMES or _RATE.search(unit)
    return (1 if direction == "lower" else -1) if follows else 0
