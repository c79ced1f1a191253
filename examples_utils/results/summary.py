"""The summary of a run on the terminal: a table of metrics, then one line per variant."""

from __future__ import annotations

from collections.abc import Sequence

from examples_utils.control_characters import one_line
from examples_utils.results.record import FAILED, NOT_RUN, PASSED, SKIPPED, VariantResult
from examples_utils.results.tables import format_metric, plain_table, terminal_table

_SHOWN_NOT_RUN = 10


def results_table(results: Sequence[VariantResult], width: int | None) -> str:
    """Returns one row per variant that ran or was skipped, with the columns of the entries' `output`.

    Args:
        results: The variants in the order in which they ran.
        width: Of the terminal; None for a file or a pipe, where nothing is cut or wrapped.
    """
    shown = [result for result in results if result.status != NOT_RUN]
    columns = list(dict.fromkeys(label for result in shown for label, _ in _output(result)))
    header = ["variant", *columns, "status", "time"]
    rows = [_row(result, columns) for result in shown]
    numeric = range(1, len(header) - 2)
    return (
        plain_table(header, rows, numeric) if width is None else terminal_table(header, rows, numeric, width)
    )


def _row(result: VariantResult, columns: Sequence[str]) -> list[str]:
    cells = {label: _cell(result, source) for label, source in _output(result)}
    time_s = "" if result.duration_s is None else f"{result.duration_s:.1f} s"
    return [result.variant_name, *(cells.get(column, "") for column in columns), result.status, time_s]


def summary_lines(results: Sequence[VariantResult], duration_s: float) -> list[str]:
    """Returns PASSED, SKIPPED and FAILED lines, failures last so that they stay visible, and the counts."""
    not_run = [result.title for result in results if result.status == NOT_RUN]
    lines = [f"NOT RUN {title}" for title in not_run[:_SHOWN_NOT_RUN]]
    if len(not_run) > _SHOWN_NOT_RUN:
        lines.append(f"NOT RUN: {len(not_run) - _SHOWN_NOT_RUN} more, listed in the result files")
    for status in (PASSED, SKIPPED, FAILED):
        for result in results:
            if result.status == status:
                reason = f" - {one_line(result.reason)}" if result.reason and status != PASSED else ""
                lines.append(f"{status.upper()} {result.title}{reason}")
    counts = [
        (sum(result.status == status for result in results), status)
        for status in (FAILED, PASSED, SKIPPED, NOT_RUN)
    ]
    totals = ", ".join(f"{count} {status}" for count, status in counts if count) or "nothing ran"
    return [*lines, f"{totals} in {duration_s:.1f} s"]


def metrics_line(result: VariantResult) -> str:
    """Returns the metrics of one variant on a line, for the progress of the run."""
    cells = ((label, _cell(result, source)) for label, source in _output(result) if source in result.results)
    return ", ".join(one_line(f"{label} {cell}") for label, cell in cells if cell)


def _output(result: VariantResult) -> list[tuple[str, str]]:
    if result.output:
        return [(label, source) for label, source in result.output]
    return [(metric, metric) for metric in result.results if metric != "total_compiling_time"]


def _cell(result: VariantResult, source: str) -> str:
    if source in result.results:
        return format_metric(result.value(source))
    if source in result.params:
        return result.params[source]
    if source in result.settings:
        return result.settings[source]
    # Entries may also give a fixed value, such as a batch size that is part of the command.
    if source.replace(".", "", 1).isdigit():
        return source
    return "n/a" if result.status == PASSED else ""
