"""hyperfine's JSON (`--export-json`), in seconds."""

from __future__ import annotations

from typing import Any

from benchmark_parsers.absence import Expected
from benchmark_parsers.json_document import JsonDocument, mappings, number, numbers
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MIB, MS, convert

_PRINT_JSON = "print the file of --export-json (`hyperfine --export-json times.json …; cat times.json`)"
_EXPECTED = Expected(
    result="JSON of hyperfine",
    looked_for='a mapping with "results"',
    tested_with="hyperfine 1.15",
    mistakes={
        "command,mean,stddev,median,": f"that is the file of --export-csv: {_PRINT_JSON}",
        "| Command | Mean": f"that is the file of --export-markdown: {_PRINT_JSON}",
        "Time (mean ±": f"that is the text for people: {_PRINT_JSON}",
        "Time  (abs ≡)": f"that is the text for people: {_PRINT_JSON}",
    },
)


class HyperfineParser:
    """Reads `time`, `time_user` and `time_system` in ms; with several commands, the command replaces `time`.

    Runs of one command are distinguished by their parameters (`--parameter-list`), as in `./build.sh[branch=main]`.
    """

    def __init__(self) -> None:
        self._document = JsonDocument("hyperfine", "results", _EXPECTED)

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Warns if a command exited with a code other than 0 (hyperfine ran with `--ignore-failure`)."""
        document, problem = self._document.only()
        results = mappings(document.get("results")) if isinstance(document, dict) else []
        if not results:
            return Parsed(problems=(problem or "the JSON of hyperfine contains no result",))
        metrics = NamedMetrics()
        problems, warnings = [], []
        for result in results:
            command = str(result.get("command"))
            name = "time" if len(results) == 1 else command
            metrics.add_setting("command" if len(results) == 1 else f"command {command}", command)
            parameters = result.get("parameters")
            facts = {"command": command} | (parameters if isinstance(parameters, dict) else {})
            found = _metrics(result)
            for suffix, metric in found.items():
                metrics.add(f"{name}{suffix}", metric, facts)
            if "" not in found:
                problems.append(f"{command[:60]}: hyperfine reports no mean")
            codes = result.get("exit_codes")
            failed = sum(code != 0 for code in codes) if isinstance(codes, list) else 0
            if failed:
                warnings.append(f"{command[:60]}: {failed} of its runs did not exit with 0")
        named, ambiguous = metrics.metrics()
        return Parsed(named, metrics.settings(), {}, (*problems, *ambiguous), tuple(warnings))


def _metrics(result: dict[str, Any]) -> dict[str, Metric]:
    """Returns the metrics of one command by what their names append to its name."""
    metrics = {}
    if (mean_s := number(result, "mean")) is not None:
        times = [convert(time_s, "s", MS) for time_s in numbers(result.get("times"))]
        metrics[""] = Metric(
            convert(mean_s, "s", MS), MS, LOWER, "mean", few(times), summarise(times) if times else {}
        )
    for key in ("user", "system"):
        if (value_s := number(result, key)) is not None:
            metrics[f"_{key}"] = Metric(convert(value_s, "s", MS), MS, LOWER, "mean")
    if memory := [convert(size, "B", MIB) for size in numbers(result.get("memory_usage_byte"))]:
        metrics["_memory"] = Metric(max(memory), MIB, LOWER, "max", few(memory), summarise(memory))
    return metrics
