"""The report of `run_benchmark.py`: one line per timed host call, then the results."""

from __future__ import annotations

import re

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.line_prefix import plain_lines
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.numbers import decimal
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.samples import EvenSample, few, summarise
from benchmark_parsers.units import MS, PERCENT, SAMPLES_PER_SEC, S, better, canonical, convert

# The line of a host call, after its first word.
_CALL_START, _CALL_MIDDLE = "Throughput: ", " imgs/sec; Latency range: "
_CALL = re.compile(r"(\d+\.\d+) imgs/sec; Latency range: (\d+\.\d+)\.\.(\d+\.\d+) ms[ \t]*$", re.MULTILINE)
_HEADER = re.compile(r"^\s*\S+ (results|compiled):$")
# The tab distinguishes them from indented lines of other programs, such as those of a warning on stderr.
_LINE = re.compile(r"^\s*\t\s*([a-z][\w. ]*): (.+)$")
_VALUE = re.compile(r"^(-?[\d.]+(?:e[+-]?\d+)?) ?([A-Za-z%][\w/]*)?(?: \(mean\))?(?: \((.*)\))?$")
_SPREAD = re.compile(r"(min|max|std|low|high): ([^,)]+)")
_PERCENTILE = re.compile(r"latency_(p[\d.]+)")

# Lines whose name differs from the metric's, or whose reduction is not "value".
_NAMES = {"latency avg": ("latency", "mean"), "throughput": ("throughput", "mean"),
          "throughput_median": ("throughput_median", "median"), "peak_memory": ("peak_memory", "max")}  # fmt: skip
# Integers that are measured; other numbers without a unit are settings.
_COUNTS = (
    "latency_samples", "samples", "host_calls", "warmup_host_calls", "not_finite_outputs",
    "server_requests", "server_executions", "failed_requests",
)  # fmt: skip
_CPU_TIMES = ("cpu_time_own", "cpu_time_of_children", "cpu_time_of_others")
_DIRECTIONS = {
    "top1": HIGHER, "not_finite_outputs": LOWER, "failed_requests": LOWER,
    **dict.fromkeys(("duration", *_CPU_TIMES)),  # no direction: they grow with the length of the run
}  # fmt: skip
# Durations of whole phases; all other times are latencies.
_DURATIONS = ("duration", "build_time", "compile_time", *_CPU_TIMES)
_EXPECTED = Expected(
    result="results of run_benchmark.py: the driver did not finish",
    looked_for="the line `MODEL results:` or `MODEL compiled:` and the indented lines after it",
    tested_with="run_benchmark.py of this version",
)


class DriverParser:
    """Reads all report lines as metrics and settings.

    `host_call_throughput`, `host_call_latency_min` and `host_call_latency_max` describe individual host calls. In a
    run of several processes, each call is that of one process, with its share of the samples.
    """

    def __init__(self) -> None:
        self._first_seen = FirstSeen(_EXPECTED)
        self._repeated: list[str] = []
        self._calls: EvenSample[tuple[float, ...] | None] = EvenSample()
        self._headers: list[str] = []
        self._lines: dict[str, str] = {}

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        if _CALL_START in block:
            self._calls.add(_calls_in(block), _call)
        if self._headers or " results:" in block or " compiled:" in block:
            self._read(block)

    def parsed(self) -> Parsed:
        """Omits metrics that the driver reports as n/a."""
        if len(self._headers) > 1:
            count = len(self._headers)
            several = (
                f"contains the results of {count} runs of run_benchmark.py: print one per entry of the spec"
            )
            return Parsed(problems=(several,))
        metrics, versions = NamedMetrics(), {}
        for key, text in self._lines.items():
            if text.startswith("n/a"):
                continue
            if metric := _metric(key, text):
                metrics.add(_NAMES.get(key, (key,))[0], metric)
            elif key.startswith("version_"):
                versions[key.removeprefix("version_")] = text
            elif key == "backend" and " " in text:
                engine, versions[engine] = text.split(maxsplit=1)
                metrics.add_setting(key, engine)
            else:
                metrics.add_setting(key, text)
        for name, metric in self._host_calls().items():
            metrics.add(name, metric)
        named, ambiguous = metrics.metrics()
        return Parsed(named, metrics.settings(), versions, (*self._problems(), *ambiguous))

    def _read(self, block: str) -> None:
        for line in plain_lines(block):
            if found := _LINE.match(line):
                if self._headers and self._lines.setdefault(found[1], found[2]) != found[2]:
                    self._repeated.append(found[1])
            elif header := _HEADER.match(line):
                self._headers.append(header[1])

    def _host_calls(self) -> dict[str, Metric]:
        calls = [call for call in self._calls.kept if call]
        if not calls:
            return {}
        rates, lows, highs = (list(column) for column in zip(*calls, strict=True))
        return {
            "host_call_throughput": self._series(rates, SAMPLES_PER_SEC, HIGHER),
            "host_call_latency_min": self._series(lows, MS, LOWER),
            "host_call_latency_max": self._series(highs, MS, LOWER),
        }

    def _series(self, values: list[float], unit: str, direction: str) -> Metric:
        summary = summarise(values, self._calls.seen)
        return Metric(summary["mean"], unit, direction, "mean", few(values), summary)

    def _problems(self) -> tuple[str, ...]:
        if not self._headers:
            return (self._first_seen.problem(),)
        if self._repeated:
            return (f"contains two values of {', '.join(dict.fromkeys(self._repeated))} in one report",)
        needed = ("throughput", "latency avg") if self._headers == ["results"] else ("compile_time",)
        missing = [key for key in needed if key not in self._lines]
        return (f"the results of run_benchmark.py lack {' and '.join(missing)}",) if missing else ()


def _calls_in(block: str) -> list[str]:
    """Finds the text after the first word of host call lines: few of millions of lines need a closer look."""
    pieces = block.split(_CALL_START)[1:]
    if len(pieces) == block.count(_CALL_MIDDLE):
        return pieces
    return [piece for piece in pieces if _CALL_MIDDLE in piece[:80]]


def _call(piece: str) -> tuple[float, ...] | None:
    """Returns throughput in samples/sec, and shortest and longest latency in ms."""
    found = _CALL.match(piece)
    return tuple(map(decimal, found.groups())) if found else None


def _metric(key: str, text: str) -> Metric | None:
    """Returns the metric on a line, or None if the line is a setting."""
    found = _VALUE.match(text)
    if not found:
        return None
    number, printed_unit, more = found.groups()
    unit = canonical(printed_unit) if printed_unit else None
    if not (unit or key in _COUNTS):
        return None
    value = decimal(number)
    reduction = _NAMES.get(key, (key, "value"))[1]
    if percentile := _PERCENTILE.fullmatch(key):
        reduction = percentile[1]
    if unit == MS and key in _DURATIONS:
        unit = S
    if unit and printed_unit and unit != PERCENT:
        value = convert(value, printed_unit, unit)
    spread = {name: decimal(value) for name, value in _SPREAD.findall(more or "")}
    if spread and reduction == "mean":
        spread = {"mean": value, **spread}
    return Metric(value, unit or "count", _DIRECTIONS.get(key, better(unit)), reduction, (), spread)
