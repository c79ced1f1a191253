"""pytest-benchmark's JSON (`--benchmark-json`), in seconds."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmark_parsers.json_document import JsonDocument, mappings, number, numbers
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MS, convert

_SUMMARY = {"min": "min", "max": "max", "mean": "mean", "stddev": "std", "median": "p50"}
# The options of pytest-benchmark; groups and extra information belong to the tests.
_OPTIONS = ("timer", "min_rounds", "max_time", "min_time", "warmup", "disable_gc")


class PytestBenchmarkParser:
    """Reads one metric per test: the mean time of one call in ms, named as the test (with its file if ambiguous).

    `count` of the summary is the number of rounds, each of which is the mean of several calls.
    """

    def __init__(self) -> None:
        self._document = JsonDocument()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Reports a test without a mean as a problem."""
        document, problem = self._document.with_key("benchmarks", "pytest-benchmark")
        tests = mappings(document.get("benchmarks")) if isinstance(document, dict) else []
        if not tests:
            return Parsed(problems=(problem or "the JSON of pytest-benchmark contains no benchmark",))
        names = Counter(str(test.get("name")) for test in tests)
        metrics: dict[str, Metric] = {}
        settings: dict[str, str] = {}
        problems = []
        for test in tests:
            name = str(test.get("name"))
            name = name if names[name] == 1 else str(test.get("fullname"))
            metric = _metric(test.get("stats"))
            if metric:
                metrics[name] = metric
            else:
                problems.append(f"{name}: pytest-benchmark reports no mean")
            options = test.get("options")
            if isinstance(options, dict):
                settings |= {key: str(options[key]) for key in _OPTIONS if key in options}
        versions = {"pytest-benchmark": str(document["version"])} if "version" in document else {}
        return Parsed(metrics, settings, versions, tuple(problems))


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
