"""Stores reported regressions as rows of the table `regressions`, and loads them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from examples_utils.history.database import tables
from examples_utils.history.database.machines import known_machines
from examples_utils.history.database.shared_rows import ids_of
from examples_utils.history.fingerprint import canonical
from examples_utils.history.regressions import Acceptance, ReportedRegression
from examples_utils.run_model import MetricKey, Run, VariantKey

_OF_RUN = ("run_id", "started_utc", "commit", "dirty", "branch")


def load_regressions(connection: Connection, machine_key: str) -> dict[int, ReportedRegression]:
    """Returns ID → regression for those of a machine and of joined ones, in the order in which they were stored."""
    table, variants = tables.regressions, tables.variants.c
    query = (
        select(table, variants.suite, variants.benchmark, variants.variant.label("name"))
        .join(tables.variants, variants.id == table.c.variant)
        .where(table.c.machine_key.in_(known_machines(connection).keys(machine_key)))
        .order_by(table.c.id)
    )
    return {row.id: _regression(row) for row in connection.execute(query)}


def insert_regressions(
    connection: Connection, machine_key: str, regressions: Sequence[ReportedRegression]
) -> None:
    """Inserts regressions of a machine."""
    keys = dict.fromkeys(one.key.of_variant for one in regressions)
    variants = ids_of(
        connection,
        tables.variants,
        {canonical(key): dict(zip(VariantKey._fields, key, strict=True)) for key in keys},
    )
    rows = [
        {"machine_key": machine_key, "variant": variants[canonical(one.key.of_variant)], **_row(one)}
        for one in regressions
    ]
    if rows:
        connection.execute(insert(tables.regressions), rows)


def replace_regressions(
    connection: Connection,
    machine_key: str,
    before: Mapping[int, ReportedRegression],
    after: Sequence[ReportedRegression],
) -> None:
    """Makes the stored regressions of a machine, `before`, those of `after`; writes only what differs."""
    table = tables.regressions
    gone = {number: one for number, one in before.items() if one not in after}
    new = []
    for one in after:
        if one in before.values():
            continue
        earlier = next((number for number, other in gone.items() if other.key == one.key), None)
        if earlier is None:
            new.append(one)
        else:
            connection.execute(update(table).where(table.c.id == earlier), _row(one))
            del gone[earlier]
    for number in gone:
        connection.execute(delete(table).where(table.c.id == number))
    insert_regressions(connection, machine_key, new)


def _row(one: ReportedRegression) -> dict[str, Any]:
    acceptance = one.acceptance
    return {
        "metric": one.key.metric,
        "first_after": canonical(_facts(one.first_after)),
        "last_before": canonical(_facts(one.last_before)) if one.last_before else None,
        "ratio": one.ratio,
        "low": one.low,
        "high": one.high,
        "called_utc": one.called_utc,
        "gone_utc": one.gone_utc,
        "accepted_utc": acceptance.accepted_utc if acceptance else None,
        "accepted_by": acceptance.by if acceptance else None,
        "reason": acceptance.reason if acceptance else None,
    }


def _facts(run: Run) -> Mapping[str, Any]:
    return {name: getattr(run, name) for name in _OF_RUN}


def _regression(row: Any) -> ReportedRegression:
    return ReportedRegression(
        key=MetricKey(row.suite, row.benchmark, row.name, row.metric),
        first_after=Run(**json.loads(row.first_after)),
        last_before=Run(**json.loads(row.last_before)) if row.last_before else None,
        ratio=row.ratio,
        low=row.low,
        high=row.high,
        called_utc=row.called_utc,
        gone_utc=row.gone_utc,
        acceptance=Acceptance(row.accepted_by, row.accepted_utc, row.reason) if row.accepted_utc else None,
    )
