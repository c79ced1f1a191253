"""The files that sum up a run, rebuilt at any time from the records of its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples_utils.export_csv import results_csv
from examples_utils.export_json import results_json
from examples_utils.export_junit import results_junit
from examples_utils.log_folder import planned_variants, stored_options, stored_results, write_durably
from examples_utils.options import RunOptions
from examples_utils.record import NOT_RUN, VariantResult, combine, no_results


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


def combined_results(log_folder: Path, results: Sequence[VariantResult], repeat: int) -> list[VariantResult]:
    """A log folder's variants from the records in it, repetitions combined; at the end those that were not run."""
    by_variant: dict[tuple[str, str, str], list[VariantResult]] = {}
    for result in results:
        by_variant.setdefault(result.identity, []).append(result)
    combined = [combine(repetitions, repeat) for repetitions in by_variant.values()]
    if results:
        planned = [_not_run(described) for described in planned_variants(log_folder)]
        combined += [variant for variant in planned if variant.identity not in by_variant]
    return combined


def _not_run(described: Mapping[str, Any]) -> VariantResult:
    reason = "the run ended before its turn"
    return VariantResult.from_json(
        {**described, "results": no_results(), "status": NOT_RUN, "reason": reason}
    )
