"""The forms in which the original examples-utils wrote results, for scripts that read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from examples_utils.results.csv_cells import cell
from examples_utils.results.record import VariantResult

ADDITIONAL = ("test_duration", "result", "cmd", "env", "git_commit_hash")
"""What `--additional-metrics` adds to the metrics of a variant."""
_METRICS = ("throughput", "latency", "total_compiling_time")
_NO_COMMIT = "Not a git repo"


def with_additional_metrics(result: VariantResult) -> VariantResult:
    """Returns the variant with them as results, `{metric: {metric: value}}`; its own metrics take precedence."""
    values: tuple[Any, ...] = (
        result.duration_s,
        str(result.exitcode == 0),
        result.command,
        "".join(f"{name}={value} " for name, value in result.env.items()),
        result.git.get("commit") or _NO_COMMIT,
    )
    added = {metric: {metric: value} for metric, value in zip(ADDITIONAL, values, strict=True)}
    return replace(
        result, results={**result.results, **{m: v for m, v in added.items() if m not in result.results}}
    )


def original_csv(
    results: Sequence[VariantResult],
    metrics: Sequence[str] = (),
    additional_metrics: bool = False,
    raw: bool = False,
) -> str:
    """Returns the text of a CSV file: all cells quoted, fixed columns, then those of `metrics`. `raw`: see `cell`."""
    added = ("test_duration", "loss", *ADDITIONAL[1:]) if additional_metrics else ()
    columns = [*_METRICS, *added, *metrics]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(cell(column, raw) for column in ("benchmark name", "Variant name", *columns))
    for result in results:
        row = [result.benchmark_name, result.variant_name, *map(result.value, columns)]
        writer.writerow(cell(value, raw) for value in row)
    return text.getvalue()
