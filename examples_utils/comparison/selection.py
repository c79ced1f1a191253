"""Which figures of a comparison are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from examples_utils.comparison.verdicts import Comparison, Judged
from examples_utils.problems import RequestError, did_you_mean


def selected(comparison: Comparison, benchmarks: Sequence[str], metrics: Sequence[str]) -> Comparison:
    """The comparison with the chosen figures alone; empty sequences choose all.

    ``benchmarks`` are shell-style patterns of benchmark or variant names. Figures are chosen after they were judged, so
    that a verdict does not depend on what else is looked at. Verdicts on a variant as a whole stay with any metric.

    Raises:
        RequestError: a pattern or name chooses nothing.
    """
    for pattern in benchmarks:
        if not any(_matches(one, pattern) for one in comparison.judged):
            known = sorted(
                {name for one in comparison.judged for name in (one.key.benchmark, one.key.variant)}
            )
            raise RequestError(f"--benchmark {pattern}: no such benchmark; {did_you_mean(pattern, known)}")
    for metric in metrics:
        if all(one.key.metric != metric for one in comparison.judged):
            known = sorted({one.key.metric for one in comparison.judged})
            raise RequestError(f"--metrics {metric}: no such metric; {did_you_mean(metric, known)}")
    chosen = [
        one
        for one in comparison.judged
        if (not benchmarks or any(_matches(one, pattern) for pattern in benchmarks))
        and (not metrics or one.key.metric in metrics)
    ]
    return replace(comparison, judged=tuple(chosen))


def _matches(one: Judged, pattern: str) -> bool:
    return fnmatchcase(one.key.benchmark, pattern) or fnmatchcase(one.key.variant, pattern)
