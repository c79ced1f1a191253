"""Two readings of one run become one: it may have been read while it ran, or before it was resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from examples_utils.figures import Figure, MetricKey, Run, VariantFacts, VariantKey

# Repetitions only add up: a variant that has passed may fail in a later one, and never the other way round.
_GROWTH = {"not run": 0, "skipped": 1, "passed": 1}
_FAILED = 2


def completed(known: Run, read: Run) -> Run:
    """The whole of what two readings of the same run hold.

    Of each variant the reading with more values counts, with everything that it says of the variant; of two that have
    as many, the later one. Log tails are kept where the counting reading has none.
    """
    figures: dict[MetricKey, Figure] = {}
    variants: dict[VariantKey, VariantFacts] = {}
    of_known, of_read = _by_variant(known), _by_variant(read)
    for key in dict.fromkeys([*of_known, *of_read]):
        first, second = (known, of_known.get(key)), (read, of_read.get(key))
        (run, its_figures), (other, _) = (
            (second, first) if _size(*second, key) >= _size(*first, key) else (first, second)
        )
        figures.update(its_figures or {})
        if key in run.variants:
            tail = run.variants[key].log_tail or (
                other.variants[key].log_tail if key in other.variants else ""
            )
            variants[key] = replace(run.variants[key], log_tail=tail)
    earlier = min(known, read, key=lambda run: run.started_utc)
    return replace(
        earlier,
        canary=max(known.canary, read.canary, key=lambda canary: sum(map(len, canary.values()))),
        variants=variants,
        figures=figures,
    )


def _by_variant(run: Run) -> dict[VariantKey, dict[MetricKey, Figure]]:
    figures: dict[VariantKey, dict[MetricKey, Figure]] = {key: {} for key in run.variants}
    for key, figure in run.figures.items():
        figures.setdefault(key.of_variant, {})[key] = figure
    return figures


def _size(run: Run, figures: Mapping[MetricKey, Figure] | None, key: VariantKey) -> tuple[int, int, int]:
    """How far a variant has come, as something to be ordered by."""
    if figures is None:
        return (-1, 0, 0)
    facts = run.variants.get(key)
    grown = -1 if facts is None else _GROWTH.get(facts.status, _FAILED)
    return (0, sum(len(figure.values) for figure in figures.values()), grown)
