"""Google Benchmark's JSON (`--benchmark_format=json`), in which each time has its own unit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmark_parsers.absence import Expected
from benchmark_parsers.json_document import JsonDocument, mappings, number
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MS, convert

_RATES = {"items_per_second": "items/sec", "bytes_per_second": "bytes/sec"}
_TIMES = ("real_time", "cpu_time")
# Keys that the library writes itself; other numbers are user-defined counters.
_OWN = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
        *_TIMES, "cpu_coefficient", "real_coefficient", "rms", *_RATES}  # fmt: skip
_SUMMARY = {"mean": "mean", "median": "p50", "stddev": "std", "min": "min", "max": "max"}
_SETTINGS = ("num_cpus", "cpu_scaling_enabled", "library_build_type")
_EXPECTED = Expected(
    result="JSON of Google Benchmark",
    looked_for='a mapping with "benchmarks"',
    tested_with="Google Benchmark 1.9.5, and the formats before 1.4 and 1.5",
    mistakes={
        "name,iterations,real_time,cpu_time,": "that is its CSV: run it with --benchmark_format=json",
        "Time             CPU": "that is its text for people: run it with --benchmark_format=json",
    },
)
# What older versions (before 1.5) append to the name of a benchmark, in place of a key `aggregate_name`.
_OLD_AGGREGATE = re.compile(r"(.+)_(mean|median|stddev|cv)")
_FAMILY = ("family_index", "per_family_instance_index")


class GoogleBenchmarkParser:
    """Reads each benchmark's real time (`NAME`) and CPU time (`NAME_cpu`) in ms, and its counters.

    Repetitions are the samples of one metric; their mean is its value. The fitted complexity (BigO and RMS) is left
    out. Where a name has two meanings, the benchmark is in brackets, as in `sort_cpu[benchmark=sort]`.
    """

    def __init__(self) -> None:
        self._document = JsonDocument("Google Benchmark", "benchmarks", _EXPECTED)

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Reports a benchmark's error as a problem; omits a skipped benchmark, with a warning."""
        document, problem = self._document.only()
        lines = mappings(document.get("benchmarks")) if isinstance(document, dict) else []
        if not lines:
            return Parsed(problems=(problem or "the JSON of Google Benchmark contains no benchmark",))
        context = document.get("context")
        context = context if isinstance(context, dict) else {}
        metrics = NamedMetrics()
        problems = []
        warnings = []
        for name, group in _groups([line for line in _with_aggregates(lines) if not _is_fitted(line)]):
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
            for key, (metric_name, metric) in found.items():
                metrics.add(metric_name, metric, {"benchmark": name, "key": key, **_family(group[0])})
            if measured and "real_time" not in found:
                problems.append(f"{name}: Google Benchmark reports no real_time")
        settings = {key: str(context[key]) for key in _SETTINGS if key in context}
        version = context.get("library_version")
        versions = {"google_benchmark": str(version)} if version else {}
        named, ambiguous = metrics.metrics()
        return Parsed(named, settings, versions, (*problems, *ambiguous), tuple(warnings))


def _is_fitted(line: Mapping[str, Any]) -> bool:
    """Whether the line is fitted to all sizes of a benchmark together, in addition to the runs themselves."""
    is_old = "real_time" not in line and ("big_o" in line or "cpu_coefficient" in line or "rms" in line)
    return is_old or line.get("aggregate_name") in ("BigO", "RMS")


def _with_aggregates(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds `run_name`, `run_type` and `aggregate_name`, which older versions express by the name alone."""
    counts = Counter(str(line.get("name")) for line in lines)
    return [{**_names(line, counts), **line} for line in lines]


def _names(line: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, str]:
    name, aggregate = str(line.get("name")), line.get("aggregate_name")
    if "run_name" in line or "run_type" in line:
        return {"run_name": name.removesuffix(f"_{aggregate}") if aggregate else name}
    found = _OLD_AGGREGATE.fullmatch(name)
    # The library computes them from two repetitions or more, and always all of them.
    if found and (
        counts.get(found[1], 0) > 1
        or (found[1] not in counts and f"{found[1]}_mean" in counts and f"{found[1]}_stddev" in counts)
    ):
        return {"run_name": found[1], "run_type": "aggregate", "aggregate_name": found[2]}
    return {"run_name": name}


def _groups(lines: Sequence[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Returns name and lines of each benchmark: its repetitions and aggregates.

    A second benchmark of the same name has another index of its family, or repeats the index of a repetition.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    seen: dict[tuple[Any, ...], int] = {}
    for line in lines:
        key = (str(line["run_name"]), *(repr(line.get(index)) for index in _FAMILY))
        part = (repr(line.get("repetition_index")), repr(line.get("aggregate_name")))
        occurrence = seen.get((key, part), 0)
        if part != ("None", "None"):
            seen[key, part] = occurrence + 1
        groups.setdefault((*key, occurrence), []).append(line)
    return [(str(key[0]), group) for key, group in groups.items()]


def _family(line: Mapping[str, Any]) -> dict[str, Any]:
    return {index: line[index] for index in _FAMILY if index in line}


def _left_out(name: str, skipped: Sequence[dict[str, Any]], measured: Sequence[dict[str, Any]]) -> str:
    times = f" {len(skipped)} of its repetitions" if measured else ""
    return f"{name}: omitted{times}: skipped: {skipped[0].get('skip_message', 'no reason given')}"


def _metrics(name: str, group: Sequence[dict[str, Any]]) -> dict[str, tuple[str, Metric]]:
    """Returns name and metric by the key of the JSON."""
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
    found = {key: (metric_name, _metric(key, runs, aggregates)) for key, metric_name in wanted.items()}
    return {key: (metric_name, metric) for key, (metric_name, metric) in found.items() if metric}


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
