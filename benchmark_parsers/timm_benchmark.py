"""timm's `benchmark.py`: the JSON after its `--result` line.

The numbers on its `Infer [3/8]` lines are running means since the start, not samples, so they are ignored.
"""

from __future__ import annotations

import re
from typing import Any

from benchmark_parsers.json_document import JsonDocument, mappings, number
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC

_MODE = re.compile(r"^Benchmarking in (\S+) precision\. (\S+) layout\. (.+)$", re.MULTILINE)
# Key of the result: metric, unit, direction.
_METRICS = {
    "infer_samples_per_sec": ("throughput", SAMPLES_PER_SEC, HIGHER),
    "infer_step_time": ("latency", MS, LOWER),
    "train_samples_per_sec": ("train_throughput", SAMPLES_PER_SEC, HIGHER),
    "train_step_time": ("train_step_time", MS, LOWER),
}
_NOT_SETTINGS = ("error", "model", *_METRICS)


class TimmBenchmarkParser:
    """`latency` is the time of one step, which is one batch. With several models, each metric ends in the model."""

    def __init__(self) -> None:
        self._document = JsonDocument()
        self._mode: tuple[str, ...] = ()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if not self._mode and (mode := _MODE.search(block)):
            self._mode = mode.groups()
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Returns the metrics of all models in the document."""
        document, problem = self._document.with_key("model", "timm's benchmark.py")
        if problem:
            return Parsed(problems=(problem,))
        results = mappings(document if isinstance(document, list) else [document])
        metrics: dict[str, Metric] = {}
        problems = []
        settings = dict(zip(("precision", "layout", "mode"), self._mode, strict=False))
        for result in results:
            model = str(result.get("model"))
            suffix = f"_{model}" if len(results) > 1 else ""
            metrics |= {f"{name}{suffix}": metric for name, metric in _metrics(result).items()}
            settings |= {
                f"{key}{suffix}": str(value) for key, value in result.items() if key not in _NOT_SETTINGS
            } | {f"model{suffix}": model}
            if "error" in result:
                problems.append(f"{model}: {str(result['error'])[:200]}")
            elif not any(key in result for key in _METRICS):
                problems.append(f"{model}: the result of timm's benchmark.py contains no metric")
        return Parsed(metrics, settings, problems=tuple(problems))


def _metrics(result: dict[str, Any]) -> dict[str, Metric]:
    return {
        name: Metric(value, unit, direction, "mean")
        for key, (name, unit, direction) in _METRICS.items()
        if (value := number(result, key)) is not None
    }
