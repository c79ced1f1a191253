"""MLPerf LoadGen's summary (`mlperf_log_summary.txt`, or the same text on stdout)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from benchmark_parsers.absence import Expected, FirstSeen
from benchmark_parsers.line_prefix import plain_lines
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.numbers import decimal
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC, convert

_TITLE = "MLPerf Results Summary"
_EXPECTED = Expected(
    result="summary of LoadGen",
    looked_for=f"the line `{_TITLE}`",
    tested_with="LoadGen 6.0, and summaries of 5",
    mistakes={":::MLLOG": "that is the detail log: print mlperf_log_summary.txt"},
)
_LINE = re.compile(r"^ *(\S[^:]*?) *: *(\S.*)$")
_LATENCY = re.compile(
    r"(?:(Min|Max|Mean)|([\d.]+)(?:[a-z]{2})? percentile) (latency|first token latency|time to output token) \(ns\)",
    re.IGNORECASE,
)
_LATENCIES = {"latency": "latency", "first token latency": "ttft", "time to output token": "tpot"}
_ESTIMATE = re.compile(r"\* Early stopping ([\d.]+)(?:[a-z]{2})? percentile estimate")
_ESTIMATES = {"TTFT Early Stopping Result": "ttft", "TPOT Early Stopping Result": "tpot"}
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_TOKENS_PER_SEC = "tokens/sec"
# Line: metric, unit, direction.
_RATES = {
    "Samples per second": ("throughput", SAMPLES_PER_SEC, HIGHER),
    "Completed samples per second": ("throughput", SAMPLES_PER_SEC, HIGHER),
    "Scheduled samples per second": ("scheduled_throughput", SAMPLES_PER_SEC, None),
    "Tokens per second": ("token_throughput", _TOKENS_PER_SEC, HIGHER),
    "Completed tokens per second": ("token_throughput", _TOKENS_PER_SEC, HIGHER),
    "Scheduled tokens per second": ("scheduled_token_throughput", _TOKENS_PER_SEC, None),
}
_QUERIES = "QPS w/ loadgen overhead"
_CONDITIONS = ("Min duration satisfied", "Min queries satisfied", "Early stopping satisfied",
               "Performance constraints satisfied")  # fmt: skip
_PARAMETERS = "Test Parameters Used"
_LAST_LINE = re.compile(r"^(No|\d+) errors? encountered", re.IGNORECASE)


@dataclass
class _Summary:
    lines: list[tuple[str, str, str]] = field(default_factory=list)  # section, name, text
    settings: dict[str, str] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    section: str = "Summary"

    def text(self, name: str) -> str | None:
        return next((text for _, line, text in self.lines if line == name), None)


class LoadGenParser:
    """A run fails unless LoadGen reports it as VALID; the metrics of a failed run are kept."""

    def __init__(self) -> None:
        self._first_seen = FirstSeen(_EXPECTED)
        self._summaries: list[_Summary] = []
        self._open: _Summary | None = None

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._first_seen.feed(block)
        if self._open or _TITLE in block:
            for line in plain_lines(block):
                self._read(line)

    def parsed(self) -> Parsed:
        """Returns latencies in ms; `throughput` of the SingleStream scenario includes LoadGen's own overhead."""
        if not self._summaries:
            return Parsed(problems=(self._first_seen.problem(),))
        verdicts = tuple(problem for summary in self._summaries if (problem := _verdict_problem(summary)))
        warnings = tuple(f"LoadGen: {text}" for summary in self._summaries for text in summary.warnings)
        if len(self._summaries) > 1:
            count = len(self._summaries)
            several = f"contains {count} summaries of LoadGen: print one per entry of the spec"
            return Parsed(problems=(several, *verdicts), warnings=warnings)
        summary = self._summaries[0]
        metrics, problems = _metrics(summary)
        settings = {
            name.lower(): text for name in ("Scenario", "Mode") if (text := summary.text(name)) is not None
        }
        return Parsed(metrics, settings | summary.settings, {}, (*verdicts, *problems), warnings)

    def _read(self, line: str) -> None:
        text = line.strip()
        if text == _TITLE:
            self._open = _Summary()
            self._summaries.append(self._open)
        elif self._open is None or not text.strip("="):
            return
        elif _LAST_LINE.match(text):
            self._warn(text)
            self._open = None
        elif found := _LINE.match(text):
            if self._open.section == _PARAMETERS:
                self._open.settings.setdefault(found[1], found[2])
            else:
                self._open.lines.append((self._open.section, found[1], found[2]))
        elif text.startswith("* "):
            if self._open.section == "Recommendations":
                self._open.advice.append(text[2:].strip())
        elif text.endswith("See detailed log.") or text.startswith("No warnings"):
            self._warn(text)
        else:
            self._open.section = text.removesuffix(":").rstrip()

    def _warn(self, text: str) -> None:
        if self._open and not text.startswith("No "):
            self._open.warnings.append(text)


def _metrics(summary: _Summary) -> tuple[dict[str, Metric], tuple[str, ...]]:
    """Returns the metrics, and the problems. A metric that two sections give differently has both names of them."""
    metrics = NamedMetrics()
    printed = set()
    problems = []
    lines = summary.lines
    if not any(_RATES.get(name, ("",))[0] == "throughput" for _, name, _ in lines):
        lines = [
            *lines,
            *((section, "throughput", text) for section, name, text in lines if name == _QUERIES),
        ]
    for section, name, text in lines:
        known = _known_metric(section, name)
        if known is None:
            continue
        metric, unit, direction, reduction = known
        if not _NUMBER.fullmatch(text):
            problems.append(f"{metric}: LoadGen printed {text[:60]!r}, which is not a number")
            continue
        value = convert(decimal(text), "ns", MS) if unit == MS else decimal(text)
        if name == "throughput":
            value *= decimal(summary.settings.get("samples_per_query", "1"))
        if (metric, value) not in printed:
            printed.add((metric, value))
            metrics.add(metric, Metric(value, unit, direction, reduction), {"section": section})
    named, ambiguous = metrics.metrics()
    return named, (*problems, *ambiguous)


def _known_metric(section: str, name: str) -> tuple[str, str, str | None, str] | None:
    """Returns name, unit, direction and reduction of the metric on a line, if it holds one."""
    if name == "throughput":
        return "throughput", SAMPLES_PER_SEC, HIGHER, "mean"
    if rate := _RATES.get(name.removesuffix(" (inferred)")):
        return (*rate, "mean")
    if found := _LATENCY.fullmatch(name):
        reduction = found[1].lower() if found[1] else f"p{decimal(found[2]):g}"
        metric = _LATENCIES[found[3].lower()]
        return metric if reduction == "mean" else f"{metric}_{reduction}", MS, LOWER, reduction
    if found := _ESTIMATE.fullmatch(name):
        reduction = f"p{decimal(found[1]):g}"
        return f"{_ESTIMATES.get(section, 'latency')}_{reduction}_early_stopping", MS, LOWER, reduction
    return None


def _verdict_problem(summary: _Summary) -> str | None:
    verdict = summary.text("Result is")
    if verdict == "VALID":
        return None
    if verdict is None:
        return "the summary of LoadGen ends before its verdict (Result is: …)"
    unmet = [name for name in _CONDITIONS if (summary.text(name) or "Yes").upper() == "NO"]
    why = f" ({'; '.join(f'{name}: NO' for name in unmet)})" if unmet else ""
    advice = f": {' '.join(summary.advice)}" if summary.advice else ""
    return f"LoadGen reports the run as {verdict}{why}{advice}"
