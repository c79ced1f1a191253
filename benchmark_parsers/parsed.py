"""What a parser gives back: figures with unit and direction, and the settings that were in effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Metric:
    """One figure of a run.

    ``value`` is in ``unit``; ``direction`` says which way is better (``higher``, ``lower``, or None where
    neither is). ``reduction`` says what the value is of the figures behind it, such as ``mean`` or ``p99``.
    ``samples`` holds some of those figures in the order in which they were measured, ``summary`` describes all
    of them (``count``, ``min``, ``max``, ``mean``, ``std``, ``p50`` …), both in ``unit``.
    """

    value: float
    unit: str | None = None
    direction: str | None = None
    reduction: str = "value"
    samples: tuple[float, ...] = ()
    summary: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The keys of the result schema, without those that say nothing."""
        facts: dict[str, Any] = {
            "value": self.value,
            "unit": self.unit,
            "direction": self.direction,
            "reduction": self.reduction,
        }
        if self.summary:
            facts["summary"] = dict(self.summary)
        if self.samples:
            facts["samples"] = list(self.samples)
        return facts


@dataclass(frozen=True)
class Parsed:
    """Everything that was read from one command's output.

    Any of the ``problems`` means that the run has failed, whatever its exit code; ``warnings`` are only told.
    ``settings`` are what the tool says was in effect: figures of different settings are not comparable.
    ``versions`` are of the software that the tool says it used.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Parser(Protocol):
    """Reads one command's output. One object reads one output."""

    def feed(self, block: str) -> None:
        """Takes whole lines, each ending with a newline (but perhaps the last): stdout in order, then stderr."""

    def parsed(self) -> Parsed:
        """What was found; asked for once, after the last line."""
