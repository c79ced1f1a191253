"""Which figures of a comparison are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from examples_utils.comparison.verdicts import Comparison
from examples_utils.problems import RequestError, did_you_mean
from examples_utils.run_model import MetricKey


def selected(comparison: Comparison, benchmarks: Sequence[str], metrics: Sequence[str]) -> Comparison:
    """The comparison with the chosen figures alone; empty sequences choose all.

    ``benchmarks`` are shell-style patterns of benchmark or variant names. Figures are chosen after they were judged, so
    that a verdict does not depend on what else is looked at.

    Raises:
        RequestError: a pattern or name chooses nothing.
    """
    refuse_unknown((one.key for one in comparison.judged), benchmarks, metrics, "--metrics")
    chosen = [one for one in comparison.judged if is_chosen(one.key, benchmarks, metrics)]
    return replace(comparison, judged=tuple(chosen))


def is_chosen(key: MetricKey, benchmarks: Sequence[str], metrics: Sequence[str]) -> bool:
    """Whether a figure is one of those that patterns and names choose; empty sequences choose all."""
    of_benchmark = not benchmarks or any(_matches(key, pattern) for pattern in benchmarks)
    return of_benchmark and (not metrics or key.metric in metrics)


def refuse_unknown(
    keys: Iterable[MetricKey], benchmarks: Sequence[str], metrics: Sequence[str], metrics_flag: str
) -> None:
    """Raises RequestError, with what is near, for a pattern or a name that is none of these figures'."""
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
