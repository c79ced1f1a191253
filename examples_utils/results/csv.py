"""`benchmark_results.csv`: one row per variant, the union of the metrics as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from examples_utils.results.csv_cells import cells, header
from examples_utils.results.record import VariantResult

_COLUMNS = ("benchmark_name", "variant_name", "params", "status", "exitcode", "reason")


def results_csv(results: Sequence[VariantResult], metrics: Sequence[str] = (), raw: bool = False) -> str:
    """Returns the file's text. `metrics` limits and orders the metric columns; empty means all. `raw`: see `cell`."""
    columns = list(metrics) or list(dict.fromkeys(metric for result in results for metric in result.results))
    rows = [_row(result, columns) for result in results]
    text = io.StringIO()
    names = [*_COLUMNS, *_renamed(columns)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writerow(header(names, raw))
    writer.writerows(cells(row, raw) for row in rows)
    return text.getvalue()


def _row(result: VariantResult, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        **{column: getattr(result, column) for column in _COLUMNS},
        "params": " ".join(f"{key}={value}" for key, value in result.params.items()),
        **{shown: result.value(metric) for metric, shown in zip(metrics, _renamed(metrics), strict=True)},
    }


def _renamed(metrics: Sequence[str]) -> list[str]:
    """Renames a metric that has the name of a fixed column."""
    return [f"metric:{metric}" if metric in _COLUMNS else metric for metric in metrics]
