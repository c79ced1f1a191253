"""Triton's `perf_analyzer` (and the older `perf_client`): its report for each load level."""

from __future__ import annotations

import re

from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, better, convert

_LEVEL = re.compile(r"^(Request concurrency|Request Rate|Concurrency|Request rate): ([\d.]+)(?: [\w ]+)?$")
_THROUGHPUT = re.compile(r"^ +Throughput: ([\d.]+) (infer/sec)$")
_PERCENTILE = re.compile(r"^ +(p[\d.]+) latency: ([\d.]+) (usec)$")
_AVERAGE = re.compile(r"^ +Avg (latency|HTTP time|gRPC time|request latency): ([\d.]+) (usec)(?: \((.*)\))?$")
_PART = re.compile(r"(queue|compute input|compute infer|compute output) ([\d.]+) (usec)")
_DEVIATION = re.compile(r"standard deviation ([\d.]+) (usec)")
_COUNT = re.compile(r"^ +(Request|Inference) count: (\d+)$")
_SETTING = re.compile(r"^  ([A-Z][\w ]+): (.+)$")
_AVERAGES = {"latency": "latency", "HTTP time": "request_time", "gRPC time": "request_time",
             "request latency": "server_latency"}  # fmt: skip
_UNSTABLE = "Failed to obtain stable measurement"


class PerfAnalyzerParser:
    """With several load levels, each metric's name ends in its level, such as `throughput_concurrency_4`."""

    def __init__(self) -> None:
        self._levels: dict[str, dict[str, Metric]] = {}
        self._settings: dict[str, str] = {}
        self._warnings: dict[str, None] = {}
        self._level: dict[str, Metric] | None = None

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        for line in block.splitlines():
            if ":" in line:
                self._read(line)
            if _UNSTABLE in line:
                self._warnings[line.strip()] = None

    def parsed(self) -> Parsed:
        """Reports a level without a throughput as a problem: the run stopped during it."""
        several = len(self._levels) > 1
        metrics = {
            f"{name}_{level}" if several else name: metric
            for level, found in self._levels.items()
            for name, metric in found.items()
        }
        settings = self._settings | ({"load": next(iter(self._levels))} if len(self._levels) == 1 else {})
        problems = [
            f"contains no throughput of perf_analyzer at {level.replace('_', ' ')}"
            for level, found in self._levels.items()
            if "throughput" not in found
        ]
        if not self._levels:
            problems = ["contains no result of perf_analyzer"]
        return Parsed(metrics, settings, problems=tuple(problems), warnings=tuple(self._warnings))

    def _read(self, line: str) -> None:
        if level := _LEVEL.match(line):
            kind = "concurrency" if "oncurrency" in level[1] else "request_rate"
            self._level = self._levels.setdefault(f"{kind}_{level[2]}", {})
        elif self._level is not None:
            self._read_metric(line, self._level)
        elif setting := _SETTING.match(line):
            self._settings[setting[1].lower().replace(" ", "_")] = setting[2]

    def _read_metric(self, line: str, level: dict[str, Metric]) -> None:
        if found := _THROUGHPUT.match(line):
            level.setdefault("throughput", _metric(found[1], found[2], SAMPLES_PER_SEC, "mean"))
        elif found := _PERCENTILE.match(line):
            level.setdefault(f"latency_{found[1]}", _metric(found[2], found[3], MS, found[1]))
        elif found := _COUNT.match(line):
            name = "requests" if found[1] == "Request" else "server_inferences"
            level.setdefault(name, Metric(float(found[2]), "count"))
        elif found := _AVERAGE.match(line):
            name, more = _AVERAGES[found[1]], found[4] or ""
            metric = _metric(found[2], found[3], MS, "mean")
            if deviation := _DEVIATION.search(more):
                std = convert(float(deviation[1]), deviation[2], MS)
                metric = Metric(metric.value, MS, LOWER, "mean", (), {"mean": metric.value, "std": std})
            # For an ensemble, the same lines follow for each of its models; the total comes first.
            level.setdefault(name, metric)
            if name == "server_latency":
                for part, text, unit in _PART.findall(more):
                    level.setdefault(f"server_{part.replace(' ', '_')}", _metric(text, unit, MS, "mean"))


def _metric(text: str, printed_unit: str, unit: str, reduction: str) -> Metric:
    return Metric(convert(float(text), printed_unit, unit), unit, better(unit), reduction)
