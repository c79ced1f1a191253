"""Reads the output of one command: the regexes of its entry, its parser, compile times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark_parsers.derived import DerivedSpec, derive
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.poplar import CompileTimeParser
from benchmark_parsers.reduction import Reduced
from benchmark_parsers.regex import MetricSpec, RegexParser
from benchmark_parsers.registry import REGEX, make_parser
from benchmark_parsers.unit_of_regex import direction_of, unit_of_regex
from benchmark_parsers.units import S, is_never_negative

COMPILE_TIME = "total_compiling_time"


@dataclass(frozen=True)
class MetricReading:
    """One metric: its value, or the reason for its absence, and its origin, as keys of the record's `metrics`."""

    reduction: str
    reduced: Reduced
    origin: Mapping[str, Any] = field(default_factory=dict)

    def as_measured(self, name: str) -> MetricReading:
        """Returns itself, or a copy without its value if a metric of this name cannot have it."""
        value = self.reduced.value
        if value is None or value >= 0 or not is_never_negative(name):
            return self
        return replace(self, reduced=Reduced(None, self.reduced.matches, f"{value:g} is negative"))

    def as_json(self, failure: str | None = None) -> dict[str, Any]:
        """Returns the entry of a record's `metrics`. A `failure` of the command removes the value and its samples."""
        reason = failure or self.reduced.reason
        facts = {"value": None if reason else self.reduced.value, "reduction": self.reduction, **self.origin}
        if reason:
            return {k: v for k, v in facts.items() if k not in ("samples", "summary")} | {"reason": reason}
        return facts


@dataclass(frozen=True)
class Reading:
    """All that one output holds: its metrics, what else the entry's parser returns, and Poplar's compile time."""

    metrics: dict[str, MetricReading]
    parsed: Parsed
    compile_time_s: float | None


class OutputReader:
    """Feed it an output's lines, stdout and then stderr; then ask for the metrics.

    If `data` and the parser both provide a metric, that of `data` counts: the entry names it explicitly.
    """

    def __init__(self, metrics: Sequence[MetricSpec], parser: str | None = None) -> None:
        self._specs = tuple(metrics)
        self._regexes = RegexParser(metrics)
        self._name = None if parser == REGEX else parser
        self._tool = make_parser(self._name) if self._name else None
        self._compile_time = CompileTimeParser()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._regexes.feed(block)
        self._compile_time.feed(block)
        if self._tool:
            self._tool.feed(block)

    def read(self, mpi_instances: int = 1) -> Reading:
        """Returns all metrics, and the other results of the entry's parser; called once."""
        parsed = self._tool.parsed() if self._tool else Parsed()
        readings = {
            spec.name: MetricReading(label, reduced, _regex_origin(spec))
            for spec, (label, reduced) in zip(
                self._specs, self._regexes.results(mpi_instances).values(), strict=True
            )
        }
        for name, metric in parsed.metrics.items():
            if name not in readings:
                readings[name] = MetricReading(
                    metric.reduction, Reduced(metric.value, 1), _parser_origin(metric, self._name)
                )
        return Reading(
            {name: reading.as_measured(name) for name, reading in readings.items()},
            parsed,
            self._compile_time.total_s(),
        )

    def not_read(self, reason: str) -> Reading:
        """Returns the entry's metrics without values, for output that could not be read."""
        missing = Reduced(None, 0, "it was not read")
        readings = {
            spec.name: MetricReading(spec.reduction_type, missing, _regex_origin(spec))
            for spec in self._specs
        }
        return Reading(readings, Parsed(problems=(reason,)), None)


def derived_reading(
    spec: DerivedSpec, readings: Mapping[str, MetricReading], parameters: Mapping[str, str]
) -> MetricReading:
    """Computes a derived metric from the metrics so far."""
    values = {name: reading.reduced.value for name, reading in readings.items()}
    origin = {
        "unit": spec.unit,
        "direction": spec.direction or direction_of(spec.name, spec.unit),
        "parser": "derived",
        "expr": spec.expr,
    }
    return MetricReading(spec.label, derive(spec, values, parameters), origin).as_measured(spec.name)


def compile_time_reading(seconds: float) -> MetricReading:
    """Returns `total_compiling_time`, which is read for every entry."""
    return MetricReading("mean", Reduced(seconds, 1), {"unit": S, "direction": LOWER, "parser": "poplar"})


def metrics_json(readings: Mapping[str, MetricReading], failure: str | None) -> dict[str, dict[str, Any]]:
    """Returns the record's `metrics`."""
    return {name: reading.as_json(failure) for name, reading in readings.items()}


def _regex_origin(spec: MetricSpec) -> dict[str, Any]:
    unit = spec.unit or unit_of_regex(spec.regexp)
    direction = spec.direction or direction_of(spec.name, unit)
    return {"unit": unit, "direction": direction, "parser": REGEX, "regexp": spec.regexp}


def _parser_origin(metric: Metric, parser: str | None) -> dict[str, Any]:
    facts = metric.as_json()
    del facts["value"], facts["reduction"]
    return {"unit": facts.pop("unit"), "direction": facts.pop("direction"), "parser": parser, **facts}
