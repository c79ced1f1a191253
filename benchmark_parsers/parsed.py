"""The result of a parser: metrics with unit and direction, and effective settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Metric:
    """One metric of a run.

    `value` is in `unit`; `direction` is the better direction (`higher`, `lower`, or None if neither is).
    `reduction` names how the value was computed from its samples, such as `mean` or `p99`. `samples` holds some of
    the samples in measurement order, `summary` describes all of them (`count`, `min`, `max`, `mean`, `std`, `p50` …),
    both in `unit`.
    """

    value: float
    unit: str | None = None
    direction: str | None = None
    reduction: str = "value"
    samples: tuple[float, ...] = ()
    summary: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Returns the keys of the result schema, without empty ones."""
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
    """Everything read from one command's output.

    Any of the `problems` fails the run, whatever its exit code; `warnings` are only reported. `settings` are the
    effective settings that the tool reports: metrics with different settings are not comparable. `versions` are the
    versions of the software that the tool reports.
    """

    metrics: Mapping[str, Metric] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Parser(Protocol):
    """Reads one command's output. Each object reads one output."""

    def feed(self, block: str) -> None:
        """Reads whole lines, each ending with a newline (except possibly the last): first stdout, then stderr."""

    def parsed(self) -> Parsed:
        """Returns the result; called once, after the last line."""
