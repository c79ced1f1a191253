"""The data of the page's scripts: the histories as one JSON document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from examples_utils.report.nights import nights, variant_nights
from examples_utils.report.packing import columns
from examples_utils.report.sections import Row
from examples_utils.report.series import Series, collect_series
from examples_utils.run_model import MetricKey, Run, VariantKey

# Keeps the page below 6 MB: a night of a metric takes about 5 bytes.
MAX_POINTS = 500_000


def page_data(
    runs: Sequence[Run], rows: Sequence[Row], variants: Sequence[VariantKey], base_run_ids: Collection[str]
) -> dict[str, Any]:
    """Returns all nights once, the variants in the given order, and the metrics in that of `rows`."""
    place = {key: number for number, key in enumerate(variants)}
    found = collect_series(runs, [row.one.key for row in rows])
    limits = drawn_nights(found, [row.one.key for row in rows if row.leading])
    return {
        "nights": nights(runs, base_run_ids),
        "variants": [variant_nights(runs, key) for key in variants],
        "figures": [
            _metric_data(row, found.get(row.one.key), limits, len(runs))
            | {"variant": place[row.one.key.of_variant]}
            for row in rows
        ],
    }


def drawn_nights(found: Mapping[MetricKey, Series], leading: Sequence[MetricKey]) -> dict[MetricKey, int]:
    """Returns how many nights of each metric are drawn: leading ones come first, the others share what is left."""
    limits: dict[MetricKey, int] = {}
    left = MAX_POINTS
    others = [key for key in found if key not in set(leading)]
    for group in ([key for key in leading if key in found], others):
        if not group:
            continue
        limit = max(left // len(group), 2)
        limits |= {key: min(limit, len(found[key].nights)) for key in group}
        left -= sum(limits[key] for key in group)
    return limits


def _metric_data(
    row: Row, series: Series | None, limits: Mapping[MetricKey, int], runs: int
) -> dict[str, Any]:
    one = row.one
    described: dict[str, Any] = {
        "name": one.key.metric,
        "of": one.key.variant,
        "unit": one.unit or "",
        "verdict": one.verdict.value,
        "base": one.base,
        "steps": [
            [change.point.index, change.point.last_before, change.point.first_after, change.point.ratio]
            for change in row.changes
            if change.point.index < runs
        ],
    }
    if series is None:
        return described
    drawn = series.newest(limits[one.key])
    return described | columns(drawn) | {"all": len(series.nights), "otherUnit": series.other_unit}
