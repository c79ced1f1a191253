"""OpenVINO's `benchmark_app` (Python and C++, since 2021): the final report and the effective settings."""

from __future__ import annotations

import re

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.line_prefix import plain_lines
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.numbers import decimal
from benchmark_parsers.parsed import Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, S, better, convert

_EXPECTED = Expected(
    result="result of benchmark_app",
    looked_for="the lines `Count: … iterations` and `Throughput: … FPS`",
    tested_with="benchmark_app of OpenVINO 2026.4, and reports of 2021, 2022.1 and 2022.3",
    mistakes={
        "Execution results": "that is the CSV file of -report_type: print the output of benchmark_app itself",
        "execution_results": "that is the JSON file of -json_stats: print the output of benchmark_app itself",
    },
)
# Every line of interest contains one of them, except the shapes of groups.
_MARKS = ("INFO ]", "[INFO]", "[Step 1/", "Measuring performance", "Build.", "Build .", " ms", " us",
          "iterations", "FPS", "Latency for")  # fmt: skip
# Before 2022.2, only some lines begin with [ INFO ].
_INFO = re.compile(r"^\s*\[ ?INFO ?\]\s*")
_FIRST_STEP = re.compile(r"^\[Step 1/\d+\]")
_LINE = re.compile(
    r"^(Count|Duration|Latency|Median|Average|Avg|Min|Max|Throughput|(?:Latency *)?\(?[\d.]+ percentile\)?)"
    r"\s*:\s*(\S.*)$",
    re.IGNORECASE,
)
_TOOK = re.compile(r"^(Read|Compile|Load|Import|Reshape|First) (?:model|network|inference) took\s+(\S.*)$")
_VALUE = re.compile(r"^(\d+(?:\.\d+)?) ?(ms|us|iterations|FPS)$")
_PERCENTILE = re.compile(r"([\d.]+) percentile")
# Label: metric, unit in records, reduction. Before 2022.1, the only latency was the median.
_METRICS = {
    "throughput": ("throughput", SAMPLES_PER_SEC, "mean"),
    "average": ("latency", MS, "mean"),
    "avg": ("latency", MS, "mean"),
    "median": ("latency_p50", MS, "p50"),
    "latency": ("latency_p50", MS, "p50"),
    "min": ("latency_min", MS, "min"),
    "max": ("latency_max", MS, "max"),
    "count": ("iterations", "count", "value"),
    "duration": ("duration", S, "value"),
    "read": ("read_time", S, "value"),
    "compile": ("compile_time", S, "value"),
    "load": ("compile_time", S, "value"),
    "import": ("import_time", S, "value"),
    "reshape": ("reshape_time", S, "value"),
    "first": ("first_inference_time", MS, "value"),
}
_SETTING = re.compile(r"^([A-Z][A-Z_]+|(?:Model|Network) batch size): (.+)$")
_BUILD = re.compile(r"^\s*Build ?\.+ (\S+)$")
_HOW = re.compile(r"Measuring performance \((.+)\)")
_GROUPS = "Latency for each data shape group:"
_GROUP = re.compile(r"^(?:\d+\. *)?(\S[^:]*: ?[\[{].*)$")
# Contains OpenVINO's version, which is not a setting.
_NO_SETTINGS = ("RUNTIME_REQUIREMENTS",)


class BenchmarkAppParser:
    """`latency` is the mean (its Average); a percentile of its command line is `latency_p99` or similar.

    With several input shapes, the latency of each shape has the shape in brackets after its name.
    """

    def __init__(self) -> None:
        self._first_seen = FirstSeen(_EXPECTED)
        self._starts = 0
        self._seen: set[str] = set()
        self._group: str | None = None
        self._metrics = NamedMetrics()
        self._settings: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._problems: list[str] = []

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        if self._group is not None or any(mark in block for mark in _MARKS):
            for line in plain_lines(block):
                self._read(line)

    def parsed(self) -> Parsed:
        """Requires one throughput: without one, the run did not finish."""
        if self._starts > 1:
            count = self._starts
            return Parsed(
                problems=(f"contains {count} runs of benchmark_app: print one per entry of the spec",)
            )
        if "throughput" not in self._seen and not self._problems:
            what = "contains no throughput of benchmark_app: it did not finish"
            return Parsed(problems=(what if self._seen else self._first_seen.problem(),))
        metrics, problems = self._metrics.metrics()
        return Parsed(metrics, self._settings, self._versions, (*self._problems, *problems))

    def _read(self, line: str) -> None:
        text = _INFO.sub("", line).strip()
        if _FIRST_STEP.match(text):
            self._begin()
        elif text == _GROUPS:
            self._group = ""
        elif found := _TOOK.match(text):
            self._add(found[1].lower(), found[2])
        elif found := _LINE.match(text):
            # Other programs print such lines, too: one without [ INFO ] counts in a run, or begins one by its unit.
            in_run = self._starts and "throughput" not in self._seen
            if in_run or text != line.strip() or text.endswith(("iterations", "FPS")):
                self._add(found[1].lower(), found[2])
        elif self._group is not None and (group := _GROUP.match(text)):
            self._group = group[1]
        elif build := _BUILD.match(text):
            self._versions.setdefault("openvino", build[1])
        elif how := _HOW.search(text):
            self._settings.setdefault("measurement", how[1])
        elif text != line and (setting := _SETTING.match(text)) and setting[1] not in _NO_SETTINGS:
            self._settings.setdefault(setting[1].replace("Network", "Model"), setting[2].strip())

    def _begin(self) -> None:
        self._starts += 1
        self._seen, self._group = set(), None

    def _add(self, label: str, text: str) -> None:
        percentile = _PERCENTILE.search(label)
        label = f"p{decimal(percentile[1]):g}" if percentile else label
        name, unit, reduction = _METRICS.get(label, (f"latency_{label}", MS, label))
        if not self._starts or (self._group is None and name in self._seen):
            self._begin()
        self._seen.add(name)
        value = _value(text, unit)
        if value is None:
            self._problems.append(
                f"{name}: benchmark_app printed {text[:60]!r}, which is no number with its unit"
            )
            return
        direction = None if name == "duration" else better(unit)
        if name == "throughput":
            self._group = None
        name = f"{name}[{self._group}]" if self._group else name
        self._metrics.add(name, Metric(value, unit, direction, reduction))


def _value(text: str, unit: str) -> float | None:
    found = _VALUE.match(text)
    try:
        return convert(decimal(found[1]), found[2].replace("iterations", "count"), unit) if found else None
    except ValueError:  # the unit of another quantity
        return None
