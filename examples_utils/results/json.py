"""`benchmark_results.json`: every record, by benchmark name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from examples_utils.results.record import PASSED, VariantResult, record_text


def results_json(results: Sequence[VariantResult], additional_metrics: bool = False) -> str:
    """Returns the file's text: `{benchmark name: [record]}`."""
    by_benchmark: dict[str, list[str]] = {}
    for result in results:
        record = result.as_json() | (additional(result) if additional_metrics else {})
        by_benchmark.setdefault(result.benchmark_name, []).append(record_text(record, indent="    "))
    benchmarks = [
        f"  {json.dumps(name)}: [\n" + ",\n".join(texts) + "\n  ]" for name, texts in by_benchmark.items()
    ]
    return "{\n" + ",\n".join(benchmarks) + "\n}\n"


def additional(result: VariantResult) -> dict[str, Any]:
    """Returns what `--additional-metrics` adds to the metrics of a variant."""
    return {
        "test_duration": result.test_duration,
        "cmd": result.command,
        "result": result.status.upper() if result.status != PASSED else "PASSED",
        "git_commit_hash": result.git.get("commit"),
        "env": result.env,
    }
