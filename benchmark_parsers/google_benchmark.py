"""Google Benchmark's JSON (`--benchmark_format=json`), in which each time has its own unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmark_parsers.json_document import JsonDocument, mappings, number
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MS, convert

_RATES = {"items_per_second": "items/sec", "bytes_per_second": "bytes/sec"}
_TIMES = ("real_time", "cpu_time")
# Keys that the library writes itself; other numbers are user-defined counters.
_OWN = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
        *_TIMES, "cpu_coefficient", "real_coefficient", "rms", *_RATES}  # fmt: skip
_SUMMARY = {"mean": "mean", "median": "p50", "stddev": "std"}
# Fitted to all sizes of a benchmark together, in addition to the runs themselves.
_FITTED = ("BigO", "RMS")
_SETTINGS = ("num_cpus", "cpu_scaling_enabled", "library_build_type")


class GoogleBenchmarkParser:
    """Reads each benchmark's real time (`NAME`) and CPU time (`NAME_cpu`) in ms, and its counters.

    Repetitions are the samples of one metric; their mean is its value.
    """

    def __init__(self) -> None:
        self._document = JsonDocument()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Reports a benchmark's error as a problem; omits a skipped benchmark, with a warning."""
        document, problem = self._document.with_key("benchmarks", "Google Benchmark")
        lines = mappings(document.get("benchmarks")) if isinstance(document, dict) else []
        if not lines:
            return Parsed(problems=(problem or "the JSON of Google Benchmark contains no benchmark",))
        context = document.get("context")
        context = context if isinstance(context, dict) else {}
        by_benchmark: dict[str, list[dict[str, Any]]] = {}
        for line in lines:
            if line.get("aggregate_name") in _FITTED:
                continue
            by_benchmark.setdefault(str(line.get("run_name", line.get("name"))), []).append(line)
        metrics: dict[str, Metric] = {}
        problems = []
        warnings = []
        for name, group in by_benchmark.items():
            errors = [line for line in group if line.get("error_occurred")]
            if errors:
                problems.append(f"{name}: {errors[0].get('error_message', 'an error')}")
                continue
            # Skipped by its author, always or in this run: its times are 0.
            skipped = [line for line in group if line.get("skipped") is True]
            measured = [line for line in group if line.get("skipped") is not True]
            if skipped:
                warnings.append(_left_out(name, skipped, measured))
            found = _metrics(name, measured)
            metrics |= found
            if measured and name not in found:
                problems.append(f"{name}: Google Benchmark reports no real_time")
        settings = {key: str(context[key]) for key in _SETTINGS if key in context}
        version = context.get("library_version")
        versions = {"google_benchmark": str(version)} if version else {}
        return Parsed(metrics, settings, versions, tuple(problems), tuple(warnings))


def _left_out(name: str, skipped: Sequence[dict[str, Any]], measured: Sequence[dict[str, Any]]) -> str:
    times = f" {len(skipped)} of its repetitions" if measured else ""
    return f"{name}: omitted{times}: skipped: {skipped[0].get('skip_message', 'no reason given')}"


def _metrics(name: str, group: Sequence[dict[str, Any]]) -> dict[str, Metric]:
    runs = [line for line in group if line.get("run_type") != "aggregate"]
    aggregates = {
        str(line.get("aggregate_name")): line for line in group if line.get("run_type") == "aggregate"
    }
    keys = dict.fromkeys(key for line in (runs or aggregates.values()) for key in line)
    counters = [
        key for key in keys if key not in _OWN and any(number(line, key) is not None for line in group)
    ]
    wanted = {
        "real_time": name,
        "cpu_time": f"{name}_cpu",
        **{key: f"{name}_{key}" for key in (*_RATES, *counters)},
    }
    found = {metric: _metric(key, runs, aggregates) for key, metric in wanted.items()}
    return {metric: value for metric, value in found.items() if value}


def _metric(key: str, runs: Sequence[dict[str, Any]], aggregates: dict[str, dict[str, Any]]) -> Metric | None:
    """Returns the mean of the repetitions, or the aggregate where only aggregates are reported."""
    is_time = key in _TIMES  # a user-defined counter of the same name has no time_unit
    unit = MS if is_time else _RATES.get(key)
    direction = LOWER if is_time else HIGHER if key in _RATES else None

    def value_in(line: dict[str, Any]) -> float | None:
        value = number(line, key)
        return (
            convert(value, str(line.get("time_unit", "ns")), MS) if is_time and value is not None else value
        )

    values = [value for line in runs if (value := value_in(line)) is not None]
    if values:
        summary = summarise(values)
        return Metric(summary["mean"], unit, direction, "mean", few(values), summary)
    summary = {
        ours: value
        for theirs, ours in _SUMMARY.items()
        if theirs in aggregates and (value := value_in(aggregates[theirs])) is not None
    }
    return Metric(summary["mean"], unit, direction, "mean", (), summary) if "mean" in summary else None
