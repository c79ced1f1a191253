"""Facts about each night for the page: date, commit, and changes of machine, software or settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from examples_utils.comparison.text import commit, moment
from examples_utils.report.page_text import differences
from examples_utils.results.record import FAILED
from examples_utils.run_model import Run, VariantFacts, VariantKey

_MAX_DIFFERENCES = 6
# The host may be another one of the same kind, and what tools report repeats the package versions.
_NOT_COMPARED = ("hostname", "reported")


def nights(runs: Sequence[Run], base_run_ids: Collection[str]) -> dict[str, Any]:
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


def variant_nights(runs: Sequence[Run], key: VariantKey) -> dict[str, Any]:
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
        if before is not None and before.settings != facts.settings:
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
