"""Combines the records of repetitions into the variants of a log folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from examples_utils.results.log_folder import planned_variants
from examples_utils.results.record import NOT_RUN, VariantResult, combine, no_results


def combined_results(log_folder: Path, results: Sequence[VariantResult], repeat: int) -> list[VariantResult]:
    """Returns a log folder's variants, repetitions combined; at the end those that were not run."""
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
