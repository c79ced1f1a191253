"""The files that sum up a run, rebuilt at any time from the records of its variants."""

from __future__ import annotations

from pathlib import Path

from examples_utils.export_csv import results_csv
from examples_utils.export_json import results_json
from examples_utils.export_junit import results_junit
from examples_utils.log_folder import stored_options, stored_results, write_durably
from examples_utils.options import RunOptions
from examples_utils.record import VariantResult, combine


def collect(log_folder: Path) -> tuple[list[VariantResult], list[str]]:
    """Writes benchmark_results.json, .csv and .xml; gives the variants, repetitions combined, and complaints."""
    results, unreadable = stored_results(log_folder)
    by_variant: dict[tuple[str, str, str], list[VariantResult]] = {}
    for result in results:
        by_variant.setdefault(result.identity, []).append(result)
    combined = [combine(repetitions) for repetitions in by_variant.values()]
    options = stored_options(log_folder) or RunOptions()
    files = {
        "json": results_json(combined, options.additional_metrics),
        "csv": results_csv(combined, options.csv_metrics, options.additional_metrics),
        "xml": results_junit(combined),
    }
    for suffix, text in files.items():
        write_durably(log_folder / f"benchmark_results.{suffix}", text)
    return combined, unreadable
