"""Selects the metrics of a comparison to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from examples_utils.comparison.verdicts import Comparison
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.run_model import MetricKey


def selected(comparison: Comparison, benchmarks: Sequence[str], metrics: Sequence[str]) -> Comparison:
    """Returns the comparison with the selected metrics only; empty sequences select all.

    `benchmarks` are shell-style patterns of benchmark or variant names. The selection follows the verdicts, so
    that a verdict does not depend on it.

    Raises:
        RequestError: A pattern or name selects nothing.
    """
    refuse_unknown((one.key for one in comparison.judged), benchmarks, metrics, "--metrics")
    chosen = [one for one in comparison.judged if is_chosen(one.key, benchmarks, metrics)]
    return replace(comparison, judged=tuple(chosen))


def is_chosen(key: MetricKey, benchmarks: Sequence[str], metrics: Sequence[str]) -> bool:
    """Whether patterns and names select a metric; empty sequences select all."""
    of_benchmark = not benchmarks or any(_matches(key, pattern) for pattern in benchmarks)
    return of_benchmark and (not metrics or key.metric in metrics)


def refuse_unknown(
    keys: Iterable[MetricKey], benchmarks: Sequence[str], metrics: Sequence[str], metrics_flag: str
) -> None:
    """Raises RequestError, with similar names, for a pattern or a name that matches none of these metrics."""
    known = set(keys)
    for pattern in benchmarks:
        if not any(_matches(key, pattern) for key in known):
            names = sorted({name for key in known for name in (key.benchmark, key.variant)})
            raise RequestError(f"--benchmark {pattern}: no such benchmark; {did_you_mean(pattern, names)}")
    names = sorted({key.metric for key in known})
    for metric in metrics:
        if metric not in names:
            raise RequestError(f"{metrics_flag} {metric}: no such metric; {did_you_mean(metric, names)}")


def _matches(key: MetricKey, pattern: str) -> bool:
    return fnmatchcase(key.benchmark, pattern) or fnmatchcase(key.variant, pattern)
