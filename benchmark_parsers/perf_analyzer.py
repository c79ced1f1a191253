"""Triton's `perf_analyzer` (and the older `perf_client`): its report for each load level, or its CSV file."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.line_prefix import plain_lines
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.numbers import decimal
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, better, convert

_EXPECTED = Expected(
    result="result of perf_analyzer",
    looked_for="a line `Request concurrency: …` or `Request Rate: …` and its `Throughput: … infer/sec`",
    tested_with="the reports that the manual of perf_analyzer describes",
    mistakes={
        '"experiments"': "that is the file of --profile-export-file: print the output of perf_analyzer itself"
    },
)
_TITLE = "*** Measurement Settings ***"
_STARTS = (
    _TITLE,
    "concurrency: ",
    "Rate: ",
    "Concurrency: ",
    "rate: ",
    ",Inferences/Second,",
    "WARNING",
    "Failed to",
)
_LEVEL = re.compile(r"^(Request concurrency|Request Rate|Concurrency): ([\d.]+)(?: [\w ]+)?$", re.IGNORECASE)
_SETTING = re.compile(r"^([A-Z][\w ]+): (.+)$")
_LINE = re.compile(r"^([A-Za-z][\w ]*|p[\d.]+ latency): (\S+)(?: (usec|infer/sec))?(?: \((.*)\))?$")
# Label: metric, unit in records, reduction.
_METRICS = {
    "Throughput": ("throughput", SAMPLES_PER_SEC, "mean"),
    "Response Throughput": ("response_throughput", SAMPLES_PER_SEC, "mean"),
    "Avg send request rate": ("sent_request_rate", SAMPLES_PER_SEC, "mean"),
    "Avg latency": ("latency", MS, "mean"),
    "Avg HTTP time": ("request_time", MS, "mean"),
    "Avg gRPC time": ("request_time", MS, "mean"),
    "Avg request latency": ("server_latency", MS, "mean"),
    "Request count": ("requests", "count", "value"),
    "Delayed Request Count": ("delayed_requests", "count", "value"),
    "Inference count": ("server_inferences", "count", "value"),
}
_DIRECTIONS = {"delayed_requests": LOWER, "sent_request_rate": None}
_PERCENTILE = re.compile(r"^(p[\d.]+) latency$")
_PART = re.compile(r"(overhead|queue|compute input|compute infer|compute output|compute) ([\d.]+) (usec)")
_DEVIATION = re.compile(r"standard deviation ([\d.]+) (usec)")
_COMPOSING = "Composing models:"
_MODEL = re.compile(r"^(\S.*), version: ?(.*)$")
_LEVEL_ENDS = ("Server Prometheus Metrics:", "Inferences/Second vs. Client")
_WARNINGS = ("Failed to obtain stable measurement", "WARNING", "was not able to keep up")
_CSV_HEADER = re.compile(r"^(Concurrency|Request Rate),Inferences/Second,")
_CSV_COLUMNS = {
    "Inferences/Second": "throughput",
    "Avg latency": "latency",
    "Client Send": "client_send",
    "Network+Server Send/Recv": "network_and_server_send_receive",
    "Server Queue": "server_queue",
    "Server Compute": "server_compute",
    "Server Compute Input": "server_compute_input",
    "Server Compute Infer": "server_compute_infer",
    "Server Compute Output": "server_compute_output",
    "Client Recv": "client_receive",
}


@dataclass
class _Level:
    """One load level of one run. `model` is the model that composes the ensemble and whose lines follow, if any."""

    load: str
    settings: dict[str, str]
    metrics: NamedMetrics = field(default_factory=NamedMetrics)
    composing: bool = False
    model: str = ""
    throughput: float | None = None


class PerfAnalyzerParser:
    """With several load levels, each metric's name ends in its level, such as `throughput_concurrency_4`.

    The models that an ensemble is composed of have their own metrics, such as `server_queue[detector]`.
    """

    def __init__(self) -> None:
        self._first_seen = FirstSeen(_EXPECTED)
        self._levels: list[_Level] = []
        self._level: _Level | None = None
        self._settings: dict[str, str] = {}
        self._in_settings = False
        self._csv_header: list[str] = []
        self._csv_levels: list[_Level] = []
        self._problems: list[str] = []
        self._warnings: dict[str, None] = {}

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        if self._level or self._in_settings or self._csv_header or any(mark in block for mark in _STARTS):
            for line in plain_lines(block):
                self._read(line.strip())

    def parsed(self) -> Parsed:
        """Reports a level without a throughput as a problem: the run stopped during it."""
        printed = {(level.load, level.throughput) for level in self._levels}
        # The CSV file holds the results of the report once more.
        levels = [
            *self._levels,
            *(level for level in self._csv_levels if (level.load, level.throughput) not in printed),
        ]
        if not levels:
            return Parsed(problems=(self._first_seen.problem(),))
        several = len({level.load for level in levels}) > 1
        metrics, problems = NamedMetrics(), [*self._problems]
        for level in levels:
            found, ambiguous = level.metrics.metrics()
            problems += ambiguous
            if level.throughput is None:
                problems.append(f"contains no throughput of perf_analyzer at {level.load.replace('_', ' ')}")
            for name, metric in found.items():
                metrics.add(f"{name}_{level.load}" if several else name, metric, level.settings)
            for key, value in level.settings.items():
                metrics.add_setting(key, value)
        if not several:
            metrics.add_setting("load", levels[0].load)
        named, ambiguous = metrics.metrics()
        return Parsed(named, metrics.settings(), {}, (*problems, *ambiguous), tuple(self._warnings))

    def _read(self, line: str) -> None:
        if any(mark in line for mark in _WARNINGS):
            self._warnings[line] = None
        elif line == _TITLE:
            self._level, self._settings, self._in_settings = None, {}, True
        elif level := _LEVEL.match(line):
            self._begin(f"{'request_rate' if 'ate' in level[1] else 'concurrency'}_{level[2]}")
        elif line.startswith(_LEVEL_ENDS):
            self._level = None
        elif self._level is not None:
            self._read_metric(line, self._level)
        elif self._in_settings:
            self._in_settings = bool(line)
            if setting := _SETTING.match(line):
                self._settings[setting[1].lower().replace(" ", "_")] = setting[2]
        else:
            self._read_csv(line)

    def _begin(self, load: str) -> None:
        self._in_settings = False
        if not (self._level and self._level.load == load and not self._level.metrics.names()):
            self._level = _Level(load, self._settings)
            self._levels.append(self._level)

    def _read_metric(self, line: str, level: _Level) -> None:
        if line == _COMPOSING:
            level.composing = True
        elif level.composing and (model := _MODEL.match(line)):
            level.model = f"[{model[1]} {model[2]}]" if model[2] else f"[{model[1]}]"
        elif found := _LINE.match(line):
            label, text, printed_unit, more = found.groups()
            percentile = _PERCENTILE.match(label)
            known = (f"latency_{percentile[1]}", MS, percentile[1]) if percentile else _METRICS.get(label)
            if known is None:
                return
            name, unit, reduction = known
            value = _number(text, printed_unit or "count", unit)
            if value is None:
                self._problems.append(f"{name}: perf_analyzer printed {line[:60]!r}, which holds no number")
                return
            if name == "throughput":
                level.throughput = value
            summary = {}
            if name == "latency" and (deviation := _DEVIATION.search(more or "")):
                summary = {"mean": value, "std": convert(decimal(deviation[1]), deviation[2], MS)}
            direction = _DIRECTIONS.get(name, better(unit))
            level.metrics.add(f"{name}{level.model}", Metric(value, unit, direction, reduction, (), summary))
            if name == "server_latency":
                for part, part_text, part_unit in _PART.findall(more or ""):
                    level.metrics.add(
                        f"server_{part.replace(' ', '_')}{level.model}",
                        Metric(convert(decimal(part_text), part_unit, MS), MS, LOWER, "mean"),
                    )

    def _read_csv(self, line: str) -> None:
        if _CSV_HEADER.match(line):
            self._csv_header = next(csv.reader([line]))
        elif self._csv_header:
            cells = next(csv.reader([line]), [])
            load = _number(cells[0], "count", "count") if cells else None
            if load is None:
                self._csv_header = []
                return
            if len(cells) < len(self._csv_header):
                self._problems.append(f"perf_analyzer's CSV holds the incomplete line {line[:60]!r}")
                return
            kind = self._csv_header[0].lower().replace(" ", "_")
            level = _Level(f"{kind}_{cells[0]}", {})
            self._csv_levels.append(level)
            for column, text in zip(self._csv_header[1:], cells[1:], strict=False):
                self._add_cell(level, column, text)

    def _add_cell(self, level: _Level, column: str, text: str) -> None:
        percentile = _PERCENTILE.match(column)
        name = f"latency_{percentile[1]}" if percentile else _CSV_COLUMNS.get(column)
        if name is None:
            return
        is_rate = name == "throughput"
        unit = SAMPLES_PER_SEC if is_rate else MS
        value = _number(text, "infer/sec" if is_rate else "usec", unit)
        if value is None:
            self._problems.append(f"{name}: perf_analyzer's CSV holds {text[:60]!r}, which is not a number")
            return
        if is_rate:
            level.throughput = value
        reduction = percentile[1] if percentile else "mean"
        level.metrics.add(name, Metric(value, unit, better(unit), reduction))


def _number(text: str, printed_unit: str, unit: str) -> float | None:
    """Returns the number in the unit of records; None for other text, or for the unit of another quantity."""
    try:
        return (
            convert(float(text), printed_unit, unit) if re.fullmatch(r"[\d.]+(?:e[+-]?\d+)?", text) else None
        )
    except ValueError:
        return None
