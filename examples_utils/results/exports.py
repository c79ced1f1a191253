"""The summary files of a run, which can be rebuilt at any time from the records of its variants."""

from __future__ import annotations

from pathlib import Path

from examples_utils.planning.options import RunOptions
from examples_utils.results.csv import results_csv
from examples_utils.results.json import results_json
from examples_utils.results.junit import results_junit
from examples_utils.results.log_folder import stored_options, stored_results, write_durably
from examples_utils.results.record import VariantResult
from examples_utils.results.repetitions import combined_results


def collect(log_folder: Path) -> tuple[list[VariantResult], list[str]]:
    """Writes benchmark_results.json, .csv and .xml; returns the variants, repetitions combined, and error messages.

    Includes variants that were not run, with that status.
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
