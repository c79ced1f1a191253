"""The summary files of a run, which can be rebuilt at any time from the records of its variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples_utils.planning.options import ORIGINAL_CSV, RunOptions
from examples_utils.results.csv import results_csv
from examples_utils.results.json import results_json
from examples_utils.results.junit import results_junit
from examples_utils.results.log_folder import stored_options, write_durably
from examples_utils.results.original import ADDITIONAL, original_csv, with_additional_metrics
from examples_utils.results.record import VariantResult
from examples_utils.results.repetitions import combined_results
from examples_utils.results.stored_records import stored_results


@dataclass(frozen=True)
class Collected:
    """The variants of a log folder, repetitions combined, and error messages about records and result files."""

    results: list[VariantResult]
    unreadable: list[str]
    unwritten: list[str]


def collect(log_folder: Path) -> Collected:
    """Writes benchmark_results.json, .csv and .xml, and returns what they hold.

    Includes variants that were not run, with that status.
    """
    options = stored_options(log_folder) or RunOptions()
    results, unreadable = stored_results(log_folder)
    combined = combined_results(log_folder, results, options.repeat)
    shown = list(map(with_additional_metrics, combined)) if options.additional_metrics else combined
    files = {
        "json": results_json(shown),
        "csv": _csv(shown, options),
        "xml": results_junit(combined, log_folder),
    }
    unwritten = []
    for suffix, text in files.items():
        file = log_folder / f"benchmark_results.{suffix}"
        try:
            write_durably(file, text)
        except OSError as error:
            unwritten.append(f"{file}: cannot be written: {error.strerror}")
    return Collected(combined, unreadable, unwritten)


def _csv(results: Sequence[VariantResult], options: RunOptions) -> str:
    if options.csv_format == ORIGINAL_CSV:
        return original_csv(results, options.csv_metrics, options.additional_metrics, options.csv_raw)
    limited = options.csv_metrics and options.additional_metrics
    columns = tuple(dict.fromkeys((*options.csv_metrics, *ADDITIONAL))) if limited else options.csv_metrics
    return results_csv(results, columns, options.csv_raw)
