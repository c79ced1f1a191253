"""The data of the page's scripts: nights, their differences and the histories of metrics, as one JSON document."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from examples_utils.comparison.text import commit, moment
from examples_utils.history.settings import comparable
from examples_utils.report.packing import columns
from examples_utils.report.page_text import differences
from examples_utils.report.sections import Row
from examples_utils.report.series import Series, collect_series
from examples_utils.results.record import FAILED
from examples_utils.run_model import MetricKey, Run, VariantFacts, VariantKey

# Keeps the page below 6 MB: a night of a metric takes about 5 bytes.
MAX_POINTS = 500_000
_MAX_DIFFERENCES = 6
# The host may be another one of the same kind, and what tools report repeats the package versions.
_NOT_COMPARED = ("hostname", "reported")


def page_data(
    runs: Sequence[Run], rows: Sequence[Row], variants: Sequence[VariantKey], base_run_ids: Collection[str]
) -> dict[str, Any]:
    """Returns all nights once, the variants in the given order, and the metrics in that of `rows`."""
    place = {key: number for number, key in enumerate(variants)}
    found = collect_series(runs, [row.one.key for row in rows])
    limits = drawn_nights(found, [row.one.key for row in rows if row.leading])
    return {
        "nights": _nights(runs, base_run_ids),
        "variants": [_variant_nights(runs, key) for key in variants],
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


def _nights(runs: Sequence[Run], base_run_ids: Collection[str]) -> dict[str, Any]:
    """Returns for each run its date, commit and branch, and for some a note of changes in machine and software.

    `base` are the indices of the runs that the last one is compared with.
    """
    notes = {}
    for index in range(1, len(runs)):
        if changed := _changed(runs[index - 1], runs[index]):
            notes[str(index)] = changed
    return {
        "moments": [moment(run.started_utc) for run in runs],
        "commits": [commit(run) for run in runs],
        "branches": [run.branch or "" for run in runs],
        "notes": notes,
        "base": [index for index, run in enumerate(runs) if run.run_id in base_run_ids],
    }


def _variant_nights(runs: Sequence[Run], key: VariantKey) -> dict[str, Any]:
    """Returns the nights on which a variant failed, and the changes in its settings."""
    failed, notes = [], {}
    before: VariantFacts | None = None
    for index, run in enumerate(runs):
        facts = run.variants.get(key)
        if facts is None:
            continue
        if facts.status == FAILED:
            failed.append(index)
            continue
        if before is not None and not comparable(before.settings, facts.settings):
            notes[str(index)] = _shortened(differences(before.settings, facts.settings))
        before = facts
    return {"failed": failed, "notes": notes}


def _changed(before: Run, after: Run) -> str:
    changed: list[str] = []
    for old, new in ((before.machine, after.machine), (before.software, after.software)):
        if old != new:
            changed += differences(_compared_facts(old), _compared_facts(new))
    return _shortened(changed)


def _compared_facts(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fingerprint.items() if name not in _NOT_COMPARED}


def _shortened(changed: Sequence[str]) -> str:
    more = f"; and {len(changed) - _MAX_DIFFERENCES} more" if len(changed) > _MAX_DIFFERENCES else ""
    return "; ".join(changed[:_MAX_DIFFERENCES]) + more
