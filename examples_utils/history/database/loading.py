"""Loads runs from rows of the tables."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Text, cast, func, select

from examples_utils.history.database import tables
from examples_utils.history.database.machines import known_machines
from examples_utils.history.database.shared_rows import contents_of, rows_of
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


def load_runs(
    connection: Connection, run_ids: Sequence[str], metrics: Sequence[str] | None, log_tails: bool
) -> dict[str, Run]:
    """Returns run ID → run, for those that exist."""
    found = rows_of(connection, select(tables.runs), tables.runs.c.run_id, run_ids)
    rows: dict[int, Any] = {row.id: row for row in found}
    machines = contents_of(connection, tables.machines, (row.machine for row in rows.values()), json.loads)
    software = contents_of(connection, tables.software, (row.software for row in rows.values()), json.loads)
    variants = _variants(connection, list(rows), log_tails)
    figures = _figures(connection, list(rows), metrics)
    known = known_machines(connection)
    return {
        row.run_id: Run(
            run_id=row.run_id,
            started_utc=row.started_utc,
            machine=machines[row.machine],
            software=software[row.software],
            commit=row.commit_hash,
            dirty=row.dirty,
            branch=row.branch,
            canary={kernel: tuple(times) for kernel, times in json.loads(row.canary).items()},
            variants=variants[number],
            metrics=figures[number],
            joined_machines=known.keys(row.machine_key),
        )
        for number, row in rows.items()
    }


def _variants(
    connection: Connection, numbers: Sequence[int], log_tails: bool
) -> dict[int, dict[VariantKey, VariantFacts]]:
    query = select(tables.results)
    rows: list[Any] = list(rows_of(connection, query, tables.results.c.run, numbers))
    _, variants, _, _, *shared, _, _ = zip(*rows, strict=True) if rows else [()] * len(tables.results.c)
    keys = _variant_keys(connection, set(variants))
    settings = contents_of(connection, tables.settings, shared[0], json.loads)
    parameters = contents_of(connection, tables.parameters, shared[1], json.loads)
    commands = contents_of(connection, tables.commands, shared[2], str)
    tails = _log_tails(connection, numbers) if log_tails else {}
    found: dict[int, dict[VariantKey, VariantFacts]] = {number: {} for number in numbers}
    for run, variant, status, reason, setting, parameter, command, threshold, warnings in rows:
        found[run][keys[variant]] = VariantFacts(
            status,
            reason,
            settings[setting],
            parameters[parameter],
            commands[command],
            threshold,
            () if warnings == "[]" else tuple(json.loads(warnings)),
            tails.get((run, variant), ""),
        )
    return found


def _variant_keys(connection: Connection, ids: Iterable[int]) -> dict[int, VariantKey]:
    table = tables.variants.c
    query = select(table.id, table.suite, table.benchmark, table.variant)
    return {
        number: VariantKey(*names) for number, *names in rows_of(connection, query, table.id, sorted(ids))
    }


def _log_tails(connection: Connection, numbers: Sequence[int]) -> Mapping[tuple[int, int], str]:
    rows = rows_of(connection, select(tables.log_tails), tables.log_tails.c.run, numbers)
    return {(run, variant): unpacked(tail) for run, variant, tail in rows}


def _figures(
    connection: Connection, numbers: Sequence[int], metrics: Sequence[str] | None
) -> dict[int, dict[MetricKey, Metric]]:
    table = tables.figures
    # One row per run instead of thousands: the database joins strings far faster than rows are fetched here.
    joined = (
        func.aggregate_strings(cast(table.c.metric, Text), ","),
        func.aggregate_strings(table.c.measured, ","),
    )
    query = select(table.c.run, *joined).group_by(table.c.run)
    if metrics is not None:
        named = select(tables.metrics.c.id).where(tables.metrics.c.metric.in_(list(metrics)))
        query = query.where(table.c.metric.in_(named))
    rows = [
        (run, json.loads(f"[{ids}]"), json.loads(f"[{measured}]"))
        for run, ids, measured in rows_of(connection, query, table.c.run, numbers)
    ]
    described = _metrics(connection, {metric for _, ids, _ in rows for metric in ids})
    found: dict[int, dict[MetricKey, Metric]] = {number: {} for number in numbers}
    for run, ids, measured in rows:
        figures = found[run]
        for metric, values in zip(ids, measured, strict=True):
            key, unit, direction, reduction = described[metric]
            figures[key] = Metric(tuple(values), unit, direction, reduction)
    return found


def _metrics(
    connection: Connection, ids: Collection[int]
) -> dict[int, tuple[MetricKey, str | None, str | None, str]]:
    if not ids:
        return {}
    metrics, variants = tables.metrics, tables.variants
    query = (
        select(metrics.c.id, metrics.c.metric, metrics.c.unit, metrics.c.direction, metrics.c.reduction)
        .add_columns(variants.c.suite, variants.c.benchmark, variants.c.variant)
        .join(variants, variants.c.id == metrics.c.variant)
        # Those of a suite are adjacent, and writing a list of thousands takes longer than reading some more.
        .where(metrics.c.id.between(min(ids), max(ids)))
    )
    return {
        number: (MetricKey(suite, benchmark, variant, metric), unit, direction, reduction)
        for number, metric, unit, direction, reduction, suite, benchmark, variant in connection.execute(
            query
        ).all()
    }


def unpacked(tail: bytes) -> str:
    """The inverse of `insertion.packed`."""
    return zlib.decompress(tail).decode("utf-8", "surrogatepass")
