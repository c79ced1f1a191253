"""The files that sum up a run, rebuilt at any time from the records of its variants."""

from __future__ import annotations

from pathlib import Path

from examples_utils.combination import combined_results
from examples_utils.export_csv import results_csv
from examples_utils.export_json import results_json
from examples_utils.export_junit import results_junit
from examples_utils.log_folder import stored_options, stored_results, write_durably
from examples_utils.options import RunOptions
from examples_utils.record import VariantResult


def collect(log_folder: Path) -> tuple[list[VariantResult], list[str]]:
    """Writes benchmark_results.json, .csv and .xml; gives the variants, repetitions combined, and complaints.

    Variants that the run did not come to are there as well, with a status that says so.
    """
    options = stored_options(log_folder) or RunOptions()
    results, unreadable = stored_results(log_folder)
    combined = combined_results(log_folder, results, options.repeat)
    files = {
        "json": results_json(combined, options.additional_metrics),
        "csv": results_csv(combined, options.csv_metrics, options.additional_metrics),
        "xml": results_junit(combined),
    }
    for suffix, text in files.items():
        write_durably(log_folder / f"benchmark_results.{suffix}", text)
    return combined, unreadable
