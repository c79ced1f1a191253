"""hyperfine's JSON (`--export-json`), in seconds."""

from __future__ import annotations

from typing import Any

from benchmark_parsers.json_document import JsonDocument, mappings, number, numbers
from benchmark_parsers.parsed import LOWER, Metric, Parsed
from benchmark_parsers.samples import few, summarise
from benchmark_parsers.units import MIB, MS, convert


class HyperfineParser:
    """Reads `time`, `time_user` and `time_system` in ms; with several commands, the command replaces `time`."""

    def __init__(self) -> None:
        self._document = JsonDocument()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Warns if a command exited with a code other than 0 (hyperfine ran with `--ignore-failure`)."""
        document, problem = self._document.with_key("results", "hyperfine")
        results = mappings(document.get("results")) if isinstance(document, dict) else []
        if not results:
            return Parsed(problems=(problem or "the JSON of hyperfine contains no result",))
        metrics: dict[str, Metric] = {}
        settings, problems, warnings = {}, [], []
        for result in results:
            command = str(result.get("command"))
            name = "time" if len(results) == 1 else command
            settings["command" if len(results) == 1 else f"command {command}"] = command
            metrics |= _metrics(name, result)
            if name not in metrics:
                problems.append(f"{command[:60]}: hyperfine reports no mean")
            failed = sum(code != 0 for code in result.get("exit_codes") or ())
            if failed:
                warnings.append(f"{command[:60]}: {failed} of its runs did not exit with 0")
        return Parsed(metrics, settings, problems=tuple(problems), warnings=tuple(warnings))


def _metrics(name: str, result: dict[str, Any]) -> dict[str, Metric]:
    metrics = {}
    if (mean_s := number(result, "mean")) is not None:
        times = [convert(time_s, "s", MS) for time_s in numbers(result.get("times"))]
        metrics[name] = Metric(
            convert(mean_s, "s", MS), MS, LOWER, "mean", few(times), summarise(times) if times else {}
        )
    for key in ("user", "system"):
        if (value_s := number(result, key)) is not None:
            metrics[f"{name}_{key}"] = Metric(convert(value_s, "s", MS), MS, LOWER, "mean")
    if memory := [convert(size, "B", MIB) for size in numbers(result.get("memory_usage_byte"))]:
        metrics[f"{name}_memory"] = Metric(max(memory), MIB, LOWER, "max", few(memory), summarise(memory))
    return metrics
