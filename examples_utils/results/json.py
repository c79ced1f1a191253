"""`benchmark_results.json`: every record, by benchmark name."""

from __future__ import annotations

import json
from collections.abc import Sequence

from examples_utils.results.record import VariantResult, record_text


def results_json(results: Sequence[VariantResult]) -> str:
    """Returns the file's text: `{benchmark name: [record]}`."""
    by_benchmark: dict[str, list[str]] = {}
    for result in results:
        by_benchmark.setdefault(result.benchmark_name, []).append(
            record_text(result.as_json(), indent="    ")
        )
    benchmarks = [
        f"  {json.dumps(name)}: [\n" + ",\n".join(texts) + "\n  ]" for name, texts in by_benchmark.items()
    ]
    return "{\n" + ",\n".join(benchmarks) + "\n}\n"
