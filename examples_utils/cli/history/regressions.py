"""`history regressions`: what nights have reported, and who accepted it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from examples_utils.comparison.text import acceptance_text, commit_span, reported_change, title_of
from examples_utils.history.regressions import ReportedRegression
from examples_utils.results.tables import plain_table
from examples_utils.run_model import Run

_HEADER = ("state", "first night", "commits", "variant", "metric", "change, 95% interval", "accepted")


def regressions_text(regressions: Sequence[ReportedRegression]) -> str:
    """Returns a table, in the order given."""
    if not regressions:
        return "no regression"
    return plain_table(_HEADER, [_row(one) for one in regressions], numeric=())


def regressions_json(regressions: Sequence[ReportedRegression]) -> str:
    """Returns an array of objects."""
    return json.dumps([_object(one) for one in regressions], indent=2)


def _row(one: ReportedRegression) -> tuple[str, ...]:
    commits = commit_span(one.last_before, one.first_after) if one.last_before else ""
    return (
        one.state,
        one.first_after.started_utc[:10],
        commits,
        title_of(one.key),
        one.key.metric,
        reported_change(one),
        acceptance_text(one),
    )


def _object(one: ReportedRegression) -> dict[str, Any]:
    return {
        **one.key._asdict(),
        "state": one.state,
        "ratio": one.ratio,
        "low": one.low,
        "high": one.high,
        "last_before": _facts(one.last_before) if one.last_before else None,
        "first_after": _facts(one.first_after),
        "called_utc": one.called_utc,
        "gone_utc": one.gone_utc,
        "acceptance": asdict(one.acceptance) if one.acceptance else None,
    }


def _facts(run: Run) -> dict[str, Any]:
    return {"run_id": run.run_id, "started_utc": run.started_utc, "commit": run.commit}
