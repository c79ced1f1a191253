"""Combines the records of repetitions into the variants of a log folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark_parsers.result_check import first_fault
from examples_utils.results.log_folder import planned_variants
from examples_utils.results.record import NOT_RUN, VariantResult, combine, no_results


def combined_results(log_folder: Path, results: Sequence[VariantResult], repeat: int) -> list[VariantResult]:
    """Returns a log folder's variants, repetitions combined; at the end those that were not run."""
    by_variant: dict[tuple[str, str, str], list[VariantResult]] = {}
    for result in results:
        by_variant.setdefault(result.identity, []).append(result)
    combined = [combine(repetitions, repeat) for repetitions in by_variant.values()]
    if results:
        combined += [variant for variant in _planned(log_folder) if variant.identity not in by_variant]
    return combined


def _planned(log_folder: Path) -> Iterator[VariantResult]:
    """Yields the planned variants as not run; a damaged file of the run may hold something else among them."""
    reason = "no record of it: the run ended before its turn, or the record could not be written"
    for described in planned_variants(log_folder):
        try:
            facts = {**described, "results": no_results(), "status": NOT_RUN, "reason": reason}
            variant = VariantResult.from_json(facts)
        except TypeError:
            continue
        if first_fault(variant.as_json()) is None:
            yield variant
