"""A comparison as CSV: one row per metric."""

from __future__ import annotations

import csv
import io

from examples_utils.comparison.formats.json_document import metric_fields
from examples_utils.comparison.text import by_urgency
from examples_utils.comparison.verdicts import Comparison
from examples_utils.results.csv_cells import cells, header

COLUMNS = (
    "suite", "benchmark", "variant", "metric", "verdict", "unit", "direction", "base", "new", "ratio", "low", "high",
    "p", "q", "threshold", "base_runs", "base_values", "new_values", "lasted_runs", "needed", "reason",
)  # fmt: skip


def comparison_csv(comparison: Comparison, raw: bool) -> str:
    """Returns the file's text, the most urgent verdicts first; missing values are empty. `raw`: see `cell`."""
    text = io.StringIO()
    # A name may contain a carriage return, which the writer would leave unquoted and a reader take for a line's end.
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(header(COLUMNS, raw))
    writer.writerows(cells(metric_fields(one), raw) for one in by_urgency(comparison))
    return text.getvalue()
