"""MLPerf LoadGen's summary (`mlperf_log_summary.txt`, or the same text on stdout)."""

from __future__ import annotations

import re

from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, convert

_TITLE = "MLPerf Results Summary"
_LINE = re.compile(r"^ *([^:]+?) *: *(.+?) *$")
_LATENCY = re.compile(r"([\d.]+)(?:th)? percentile latency \(ns\)")
_ESTIMATE = re.compile(r"\* Early stopping ([\d.]+)(?:th)? percentile estimate")
_NUMBER = re.compile(r"[\d.]+(?:e[+-]?\d+)?")
_EXTREMES = {"Min latency (ns)": "min", "Max latency (ns)": "max", "Mean latency (ns)": "mean"}
_CONDITIONS = ("Min duration satisfied", "Min queries satisfied", "Early stopping satisfied",
               "Performance constraints satisfied")  # fmt: skip
_PARAMETERS = "Test Parameters Used"


class LoadGenParser:
    """A run fails unless LoadGen reports it as VALID; the metrics of a failed run are kept."""

    def __init__(self) -> None:
        self._open = self._in_parameters = False
        self._fields: dict[str, str] = {}
        self._settings: dict[str, str] = {}
        self._advice: list[str] = []
        self._warnings: list[str] = []

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if self._open or _TITLE in block:
            for line in block.splitlines():
                self._read(line)

    def parsed(self) -> Parsed:
        """Returns latencies in ms; `throughput` of the SingleStream scenario includes LoadGen's own overhead."""
        settings = {name.lower(): self._fields[name] for name in ("Scenario", "Mode") if name in self._fields}
        return Parsed(self._metrics(), settings | self._settings, {}, self._problems(), tuple(self._warnings))

    def _read(self, line: str) -> None:
        if line.strip() == _TITLE:
            self._open = True
        elif not self._open:
            return
        elif line.strip() == _PARAMETERS:
            self._in_parameters = True
        elif line.startswith(" * ") and ":" not in line:
            self._advice.append(line[3:].strip())
        elif found := _LINE.match(line):
            (self._settings if self._in_parameters else self._fields).setdefault(found[1], found[2])
        elif line.endswith(("See detailed log.", "during test.")) and not line.startswith("No "):
            self._warnings.append(f"LoadGen: {line.strip()}")

    def _metrics(self) -> dict[str, Metric]:
        metrics: dict[str, Metric] = {}
        for name, text in self._fields.items():
            if not _NUMBER.fullmatch(text):
                continue
            value = float(text)
            if name in _EXTREMES:
                reduction = _EXTREMES[name]
                metrics["latency" if reduction == "mean" else f"latency_{reduction}"] = _latency(
                    value, reduction
                )
            elif found := _LATENCY.fullmatch(name):
                metrics[f"latency_p{float(found[1]):g}"] = _latency(value, f"p{float(found[1]):g}")
            elif found := _ESTIMATE.fullmatch(name):
                label = f"p{float(found[1]):g}"
                metrics[f"latency_{label}_early_stopping"] = _latency(value, label)
            elif name in ("Samples per second", "Completed samples per second"):
                metrics["throughput"] = Metric(value, SAMPLES_PER_SEC, HIGHER, "mean")
            elif name == "Scheduled samples per second":
                metrics["scheduled_throughput"] = Metric(value, SAMPLES_PER_SEC, None, "mean")
            elif name == "QPS w/ loadgen overhead" and "throughput" not in metrics:
                samples_per_query = float(self._settings.get("samples_per_query", "1"))
                metrics["throughput"] = Metric(value * samples_per_query, SAMPLES_PER_SEC, HIGHER, "mean")
        return metrics

    def _problems(self) -> tuple[str, ...]:
        if not self._open:
            return ("contains no summary of LoadGen",)
        verdict = self._fields.get("Result is")
        if verdict == "VALID":
            return ()
        if verdict is None:
            return ("the summary of LoadGen ends before its verdict (Result is: …)",)
        unmet = [name for name in _CONDITIONS if self._fields.get(name, "Yes").upper() == "NO"]
        why = f" ({'; '.join(f'{name}: NO' for name in unmet)})" if unmet else ""
        return (
            f"LoadGen reports the run as {verdict}{why}{': ' if self._advice else ''}{' '.join(self._advice)}",
        )


def _latency(value_ns: float, reduction: str) -> Metric:
    return Metric(convert(value_ns, "ns", MS), MS, LOWER, reduction)
