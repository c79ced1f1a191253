"""`benchmark_results.csv`: one row per variant, the union of the metrics as columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from examples_utils.results.csv_cells import without_nul
from examples_utils.results.json import additional
from examples_utils.results.record import VariantResult

_COLUMNS = ("benchmark_name", "variant_name", "params", "status", "exitcode", "reason")


def results_csv(
    results: Sequence[VariantResult], metrics: Sequence[str] = (), additional_metrics: bool = False
) -> str:
    """Returns the file's text. `metrics` limits and orders the metric columns; empty means all."""
    columns = list(metrics) or list(dict.fromkeys(metric for result in results for metric in result.results))
    rows = [_row(result, columns, additional_metrics) for result in results]
    text = io.StringIO()
    extra = [
        key
        for key in (additional(results[0]) if additional_metrics and results else {})
        if key not in columns
    ]
    writer = csv.DictWriter(text, [*_COLUMNS, *_renamed(columns), *extra], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(without_nul, rows))
    return text.getvalue()


def _row(result: VariantResult, metrics: Sequence[str], additional_metrics: bool) -> dict[str, Any]:
    row = {
        **{column: getattr(result, column) for column in _COLUMNS},
        "params": " ".join(f"{key}={value}" for key, value in result.params.items()),
    }
    row.update(
        {shown: result.value(metric) for metric, shown in zip(metrics, _renamed(metrics), strict=True)}
    )
    if additional_metrics:
        extra = {key: value for key, value in additional(result).items() if key not in metrics}
        row.update(
            {key: json.dumps(value) if isinstance(value, dict) else value for key, value in extra.items()}
        )
    return row


def _renamed(metrics: Sequence[str]) -> list[str]:
    """Renames a metric that has the name of a fixed column."""
    return [f"metric:{metric}" if metric in _COLUMNS else metric for metric in metrics]
