"""timm's `benchmark.py`: the JSON after its `--result` line.

The numbers on its `Infer [3/8]` lines are running means since the start, not samples, so they are ignored.
"""

from __future__ import annotations

import re
from typing import Any

from benchmark_parsers.absence import Expected
from benchmark_parsers.json_document import JsonDocument, mappings, number
from benchmark_parsers.named_metrics import NamedMetrics
from benchmark_parsers.parsed import HIGHER, LOWER, Metric, Parsed
from benchmark_parsers.units import MS, SAMPLES_PER_SEC

_MODE = re.compile(r"Benchmarking in (\S+) precision\. (\S+) layout\. (.+?)[ \t]*$", re.MULTILINE)
# Key of the result: metric, unit, direction.
_METRICS = {
    "infer_samples_per_sec": ("throughput", SAMPLES_PER_SEC, HIGHER),
    "infer_step_time": ("latency", MS, LOWER),
    "train_samples_per_sec": ("train_throughput", SAMPLES_PER_SEC, HIGHER),
    "train_step_time": ("train_step_time", MS, LOWER),
}
_NOT_SETTINGS = ("error", "model", *_METRICS)
_EXPECTED = Expected(
    result="JSON of timm's benchmark.py",
    looked_for='a mapping with "model" and a result such as "infer_samples_per_sec", or a list of them',
    tested_with="timm 1.0.31",
    mistakes={
        "model,infer_": "that is the file of --results-file: print the output, or use --results-format json",
        "model,train_": "that is the file of --results-file: print the output, or use --results-format json",
    },
)


class TimmBenchmarkParser:
    """`latency` is the time of one step, which is one batch. With several models, each metric ends in the model.

    Results of the same model are distinguished by batch size, image size and so on, as in
    `latency_resnet18[infer_img_size=160]`.
    """

    def __init__(self) -> None:
        self._document = JsonDocument("timm's benchmark.py", "model", _EXPECTED, _is_result)
        self._mode: tuple[str, ...] = ()

    def feed(self, block: str) -> None:
        """Takes whole lines."""
        if not self._mode and (mode := _MODE.search(block)):
            self._mode = mode.groups()
        self._document.feed(block)

    def parsed(self) -> Parsed:
        """Returns the metrics of all models in the document."""
        document, problem = self._document.only()
        if problem:
            return Parsed(problems=(problem,))
        results = mappings(document if isinstance(document, list) else [document])
        metrics = NamedMetrics()
        problems = []
        for key, value in zip(("precision", "layout", "mode"), self._mode, strict=False):
            metrics.add_setting(key, value)
        for result in results:
            model = str(result.get("model"))
            suffix = f"_{model}" if len(results) > 1 else ""
            facts = {key: value for key, value in result.items() if key not in _NOT_SETTINGS}
            for name, metric in _metrics(result).items():
                metrics.add(f"{name}{suffix}", metric, facts)
            for key, value in facts.items():
                metrics.add_setting(f"{key}{suffix}", str(value))
            metrics.add_setting(f"model{suffix}", model)
            if "error" in result:
                problems.append(f"{model}: {str(result['error'])[:200]}")
            elif not any(key in result for key in _METRICS):
                problems.append(f"{model}: the result of timm's benchmark.py contains no metric")
        named, ambiguous = metrics.metrics()
        return Parsed(named, metrics.settings(), problems=(*problems, *ambiguous))


def _is_result(mapping: dict[str, Any]) -> bool:
    return "error" in mapping or any(key in mapping for key in _METRICS)


def _metrics(result: dict[str, Any]) -> dict[str, Metric]:
    return {
        name: Metric(value, unit, direction, "mean")
        for key, (name, unit, direction) in _METRICS.items()
        if (value := number(result, key)) is not None
    }
