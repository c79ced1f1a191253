"""The power of a night: the smallest change that it could have called, now and with more history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from examples_utils.comparison.compare_night import callable_changes
from examples_utils.comparison.options import CompareOptions
from examples_utils.comparison.text import counted
from examples_utils.comparison.verdicts import Comparison, Verdict
from examples_utils.run_model import MetricKey, Run

_STEPS = (Verdict.REGRESSED, Verdict.IMPROVED)
_IN_WHOLE_PERCENT = 0.03  # from here on: the power is an estimate


@dataclass(frozen=True)
class Power:
    """What a night with so many earlier `nights` calls with 80% power, as shares (0.08 is 8%), for the median metric.

    `later` is the number of nights with which `smallest_later` holds; None if the baseline is complete. A `smallest` is
    never below the `threshold` of the night, and None where it is unknown, as no metric has a spread.
    """

    nights: int
    threshold: float
    smallest: float | None = None
    later: int | None = None
    smallest_later: float | None = None


def power_of(
    base: Sequence[Run],
    night: Run,
    comparison: Comparison,
    options: CompareOptions,
    accepted: Mapping[MetricKey, str],
) -> Power:
    """Returns the power of a night that was compared with `base`: now, and with twice as many nights."""
    nights = len(base)
    more = max(0, min(nights, options.nights_needed - nights))
    # Nights after a step that is being called would pass for nights that vary by themselves.
    stepped = max((one.lasted_runs for one in comparison.judged if one.verdict in _STEPS), default=1) - 1
    asked = (stepped, stepped + more) if more else (stepped,)
    now, *later = callable_changes(base[: nights - stepped], night, options, asked, accepted) or (None,)
    return Power(
        nights, options.threshold, now, nights + more if later else None, later[0] if later else None
    )


def power_line(power: Power) -> str:
    """Returns the power in a sentence."""
    history = f"{counted('night', power.nights)} of history"
    if not power.nights:
        return f"{history}: changes can be called from the next night on"
    if power.smallest is None:
        return f"{history}: no metric varies, so which changes can be called is unknown"
    now, later = _percent(power.smallest), _percent(power.smallest_later)
    if now == _percent(power.threshold):
        return f"{history}: changes from about {now} on, the threshold, can be called"
    if later and later != now:
        night = (power.later or 0) + 1  # as the first night has none before it
        return (
            f"{history}: changes below about {now} cannot be called yet; about {later} from night {night} on"
        )
    return f"{history}: changes below about {now} cannot be called"


def power_json(power: Power | None) -> dict[str, Any] | None:
    """Returns the power as an object for JSON."""
    return asdict(power) if power else None


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    if share >= 1:
        return f"a factor of {1 + share:.3g}"
    return f"{share:.0%}" if share >= _IN_WHOLE_PERCENT else f"{share:.1%}"
