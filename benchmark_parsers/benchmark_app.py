"""OpenVINO's `benchmark_app` (Python and C++): the final report and the effective settings."""

from __future__ import annotations

import re

from benchmark_parsers.parsed import Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, S, better, convert

_LINE = re.compile(
    r"^\[ INFO \] +(Read model took|Compile model took|First inference took|Count:|Duration:|Median:|Average:|Min:|Max:"
    r"|Throughput:|[\d.]+ percentile:) +([\d.]+) (ms|us|iterations|FPS)$"
)
# Label: metric, unit in records, reduction.
_METRICS = {
    "Throughput:": ("throughput", SAMPLES_PER_SEC, "mean"),
    "Average:": ("latency", MS, "mean"),
    "Median:": ("latency_p50", MS, "p50"),
    "Min:": ("latency_min", MS, "min"),
    "Max:": ("latency_max", MS, "max"),
    "Count:": ("iterations", "count", "value"),
    "Duration:": ("duration", S, "value"),
    "Read model took": ("read_time", S, "value"),
    "Compile model took": ("compile_time", S, "value"),
    "First inference took": ("first_inference_time", MS, "value"),
}
_SETTING = re.compile(r"^\[ INFO \] +([A-Z][A-Z_]+|Model batch size): (.+)$")
_BUILD = re.compile(r"^\[ INFO \] Build \.* (\S+)$")
_HOW = re.compile(r"Measuring performance \((.+)\)")
# Contains OpenVINO's version, which is not a setting.
_NO_SETTINGS = ("RUNTIME_REQUIREMENTS",)


class BenchmarkAppParser:
    """`latency` is the mean (its Average); a percentile of its command line is `latency_p99` or similar."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}
        self._settings: dict[str, str] = {}
        self._versions: dict[str, str] = {}

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if "[ INFO ]" in block or "[Step" in block:
            for line in block.splitlines():
                self._read(line)

    def parsed(self) -> Parsed:
        """Requires a throughput: without one, the run did not finish."""
        problems = () if "throughput" in self._metrics else ("contains no throughput of benchmark_app",)
        return Parsed(self._metrics, self._settings, self._versions, problems)

    def _read(self, line: str) -> None:
        if found := _LINE.match(line):
            self._note(*found.groups())
        elif (setting := _SETTING.match(line)) and setting[1] not in _NO_SETTINGS:
            self._settings.setdefault(setting[1], setting[2].strip())
        elif build := _BUILD.match(line):
            self._versions.setdefault("openvino", build[1])
        elif how := _HOW.search(line):
            self._settings.setdefault("measurement", how[1])

    def _note(self, label: str, text: str, printed_unit: str) -> None:
        percentile = f"p{float(label.split()[0]):g}" if label.endswith("percentile:") else ""
        name, unit, reduction = _METRICS.get(label, (f"latency_{percentile}", MS, percentile))
        value = float(text) if unit == "count" else convert(float(text), printed_unit, unit)
        direction = None if name == "duration" else better(unit)
        # The total comes first; with several input shapes, the same labels follow for each of them.
        self._metrics.setdefault(name, Metric(value, unit, direction, reduction))
