"""The table of precision and recall."""

from __future__ import annotations

from bench.histories.score import found_in, score, total
from bench.histories.series import KnownSeries, generated


def table(named: list[tuple[str, list[KnownSeries]]], tolerance: int) -> list[str]:
    """Returns a row for each set of series, in Markdown."""
    lines = [
        "| series | number | changes | found | precision | recall | F1 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, series in named:
        sum_of = total(score(found_in(one), one.changes, tolerance) for one in series)
        shares = f"{sum_of.precision:.2f} | {sum_of.recall:.2f} | {sum_of.f1:.2f}"
        lines.append(f"| {name} | {len(series)} | {sum_of.known} | {sum_of.found} | {shares} |")
    return lines


def by_kind() -> list[tuple[str, list[KnownSeries]]]:
    """Returns the generated series of each kind of noise, of all, and those without a change."""
    series = generated(20)
    kinds = {one.name: [other for other in series if other.name == one.name] for one in series}
    return [*kinds.items(), ("all", series), ("all kinds, without a change", generated(20, steps=False))]
