"""The page's contents, in order: what needs attention, all metrics, and each benchmark with its variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from examples_utils.comparison.changes import Change
from examples_utils.comparison.onset import Regression
from examples_utils.comparison.text import by_urgency
from examples_utils.comparison.verdicts import Comparison, MetricVerdict, Verdict
from examples_utils.report.batch_sizes import TradeOff
from examples_utils.run_model import MetricKey, Run, VariantFacts, VariantKey

# A variant's leading metrics, if it has them.
_LEADING = ("throughput", "latency")
_ATTENTION = (Verdict.REGRESSED, Verdict.FAILED, Verdict.MISSING)


@dataclass(frozen=True)
class Row:
    """One metric with its verdict. `leading` metrics are shown by default; `number` counts the metrics of the page."""

    number: int
    one: MetricVerdict
    leading: bool
    changes: tuple[Change, ...] = ()
    regression: Regression | None = None

    @property
    def urgent(self) -> bool:
        """Whether it needs attention; a missing one only if it is leading."""
        return self.leading and self.one.verdict in _ATTENTION


@dataclass(frozen=True)
class VariantSection:
    """A variant of the last run, or one that is missing in it."""

    key: VariantKey
    rows: tuple[Row, ...]
    facts: VariantFacts | None

    @property
    def leading(self) -> tuple[Row, ...]:
        """The metrics that are shown by default."""
        return tuple(row for row in self.rows if row.leading)

    @property
    def urgent(self) -> tuple[Row, ...]:
        """The metrics that need attention."""
        return tuple(row for row in self.rows if row.urgent)


@dataclass(frozen=True)
class BenchmarkSection:
    """An entry of a spec with its variants."""

    suite: str
    name: str
    variants: tuple[VariantSection, ...]
    trade_offs: tuple[TradeOff, ...] = ()


def rows_by_urgency(
    comparison: Comparison, changes: Sequence[Change], regressions: Sequence[Regression]
) -> tuple[Row, ...]:
    """Returns all metrics, the most urgent first, with their change points and, if they regressed, the onset."""
    judged = by_urgency(comparison)
    of_variant: dict[VariantKey, list[MetricKey]] = {}
    for one in comparison.judged:
        of_variant.setdefault(one.key.of_variant, []).append(one.key)
    leading = {key for keys in of_variant.values() for key in _leading(keys)}
    latest_first = sorted(changes, key=lambda change: -change.point.index)
    regressed = {found.judged.key: found for found in regressions}
    of_metric: dict[MetricKey, list[Change]] = {}
    for change in latest_first:
        of_metric.setdefault(change.key, []).append(change)
    loud = (Verdict.REGRESSED, Verdict.IMPROVED)
    return tuple(
        Row(
            number,
            one,
            one.key in leading or one.verdict in loud,
            tuple(of_metric.get(one.key, ())),
            regressed.get(one.key),
        )
        for number, one in enumerate(judged)
    )


def benchmark_sections(
    rows: Sequence[Row], last: Run | None, trade_offs: Sequence[TradeOff]
) -> tuple[BenchmarkSection, ...]:
    """Returns benchmarks and their variants, the most urgent first, and otherwise in the order of the last run."""
    of_variant: dict[VariantKey, list[Row]] = {}
    for row in rows:
        of_variant.setdefault(row.one.key.of_variant, []).append(row)
    facts: Mapping[VariantKey, VariantFacts] = last.variants if last else {}
    place = {key: position for position, key in enumerate(dict.fromkeys([*facts, *of_variant]))}
    urgent = {key for key, of in of_variant.items() if any(row.urgent for row in of)}
    of_benchmark: dict[tuple[str, str], list[VariantSection]] = {}

    def urgency(key: VariantKey) -> tuple[bool, int]:
        return key not in urgent, of_variant[key][0].number if key in urgent else place[key]

    for key in sorted(place, key=urgency):
        section = VariantSection(key, _in_page_order(of_variant.get(key, ())), facts.get(key))
        of_benchmark.setdefault((key.suite, key.benchmark), []).append(section)
    return tuple(
        BenchmarkSection(
            suite,
            name,
            tuple(sorted(variants, key=lambda section: place[section.key])),
            tuple(one for one in trade_offs if (one.suite, one.benchmark) == (suite, name)),
        )
        for (suite, name), variants in of_benchmark.items()
    )


def _leading(keys: Sequence[MetricKey]) -> list[MetricKey]:
    named = [key for name in _LEADING for key in keys if key.metric == name]
    return named or list(keys[:2])


def _in_page_order(rows: Sequence[Row]) -> tuple[Row, ...]:
    named = {name: place for place, name in enumerate(_LEADING)}
    return tuple(sorted(rows, key=lambda row: (named.get(row.one.key.metric, len(named)), row.number)))
