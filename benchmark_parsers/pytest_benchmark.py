"""pytest-benchmark's JSON (`--benchmark-json`), in seconds."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmark_parsers.absence import Expected
from benchmark_parsers.json_document import JsonDocument, mappings, number, numbers
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MS, convert

_SUMMARY = {"min": "min", "max": "max", "mean": "mean", "stddev": "std", "median": "p50"}
# The options of pytest-benchmark; groups and extra information belong to the tests.
_OPTIONS = ("timer", "min_rounds", "max_time", "min_time", "warmup", "disable_gc")

_PRINT_JSON = "print the file of --benchmark-json (`pytest --benchmark-json times.json; cat times.json`)"
_EXPECTED = Expected(
    result="JSON of pytest-benchmark",
    looked_for='a mapping with "benchmarks"',
    tested_with="pytest-benchmark 5.3, and files of 4.0",
    mistakes={
        ",min,max,mean,stddev": f"that is the file of --benchmark-csv: {_PRINT_JSON}",
        "Name (time in": f"that is the table for people: {_PRINT_JSON}",
    },
)


class PytestBenchmarkParser:
    """Reads one metric per test: the mean time of one call in ms, named as the test (with its file if ambiguous).

    Tests of the same full name are distinguished by their parameters, as in `a.py::test_get[storage=disk]`. `count` of
    the summary is the number of rounds, each of which is the mean of several calls.
    """

    def __init__(self) -> None:
        self._document = JsonDocument("pytest-benchmark", "benchmarks", _EXPECTED)

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Reports a test without a mean as a problem."""
        document, problem = self._document.only()
        tests = mappings(document.get("benchmarks")) if isinstance(document, dict) else []
        if not tests:
            return Parsed(problems=(problem or "the JSON of pytest-benchmark contains no benchmark",))
        names = Counter(str(test.get("name")) for test in tests)
        metrics = NamedMetrics()
        problems = []
        for test in tests:
            name = str(test.get("name"))
            name = name if names[name] == 1 else str(test.get("fullname"))
            metric = _metric(test.get("stats"))
            if metric:
                metrics.add(name, metric, _facts(test))
            else:
                problems.append(f"{name}: pytest-benchmark reports no mean")
            options = test.get("options")
            for key in _OPTIONS:
                if isinstance(options, dict) and key in options:
                    metrics.add_setting(key, str(options[key]))
        versions = {"pytest-benchmark": str(document["version"])} if "version" in document else {}
        named, ambiguous = metrics.metrics()
        return Parsed(named, metrics.settings(), versions, (*problems, *ambiguous))


def _facts(test: dict[str, Any]) -> dict[str, Any]:
    """Returns what can distinguish a test from another of the same name: its parameters first."""
    facts: dict[str, Any] = {}
    own = {"param": test.get("param"), "group": test.get("group")}
    for part in (test.get("params"), own, test.get("extra_info")):
        if isinstance(part, dict):
            facts |= {key: value for key, value in part.items() if key not in facts}
    return facts


def _metric(stats: Any) -> Metric | None:
    if not isinstance(stats, dict) or (mean_s := number(stats, "mean")) is None:
        return None
    times = [convert(time_s, "s", MS) for time_s in numbers(stats.get("data"))]
    summary = {
        ours: convert(value_s, "s", MS)
        for theirs, ours in _SUMMARY.items()
        if (value_s := number(stats, theirs)) is not None
    }
    if (rounds := number(stats, "rounds")) is not None:
        summary["count"] = int(rounds)
    return Metric(
        convert(mean_s, "s", MS), MS, LOWER, "mean", few(times), summarise(times) if times else summary
    )
