"""Rows of the tables become runs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from examples_utils.figures import Figure, MetricKey, Run, VariantFacts, VariantKey
from examples_utils.history import tables
from examples_utils.history.shared_rows import chunks, contents_of


def load_runs(
    connection: Connection, run_ids: Sequence[str], metrics: Sequence[str] | None, log_tails: bool
) -> dict[str, Run]:
    """Run id → run, of those that are there."""
    rows: dict[int, Any] = {}
    for chunk in chunks(run_ids):
        query = select(tables.runs).where(tables.runs.c.run_id.in_(chunk))
        rows.update((row.id, row) for row in connection.execute(query))
    machines = contents_of(connection, tables.machines, (row.machine for row in rows.values()), json.loads)
    software = contents_of(connection, tables.software, (row.software for row in rows.values()), json.loads)
    variants = _variants(connection, list(rows), log_tails)
    figures = _figures(connection, list(rows), metrics)
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
            figures=figures[number],
        )
        for number, row in rows.items()
    }


def _variants(
    connection: Connection, numbers: Sequence[int], log_tails: bool
) -> dict[int, dict[VariantKey, VariantFacts]]:
    rows: list[Any] = []
    for chunk in chunks(numbers):
        rows += connection.execute(select(tables.results).where(tables.results.c.run.in_(chunk)))
    keys = _variant_keys(connection, {row.variant for row in rows})
    settings = contents_of(connection, tables.settings, (row.settings for row in rows), json.loads)
    parameters = contents_of(connection, tables.parameters, (row.parameters for row in rows), json.loads)
    commands = contents_of(connection, tables.commands, (row.command for row in rows), str)
    tails = _log_tails(connection, numbers) if log_tails else {}
    found: dict[int, dict[VariantKey, VariantFacts]] = {number: {} for number in numbers}
    for row in rows:
        found[row.run][keys[row.variant]] = VariantFacts(
            status=row.status,
            reason=row.reason,
            settings=settings[row.settings],
            params=parameters[row.parameters],
            command=commands[row.command],
            threshold=row.threshold,
            warnings=() if row.warnings == "[]" else tuple(json.loads(row.warnings)),
            log_tail=tails.get((row.run, row.variant), ""),
        )
    return found


def _variant_keys(connection: Connection, ids: Iterable[int]) -> dict[int, VariantKey]:
    keys: dict[int, VariantKey] = {}
    table = tables.variants
    for chunk in chunks(sorted(ids)):
        query = select(table.c.id, table.c.suite, table.c.benchmark, table.c.variant)
        for number, *names in connection.execute(query.where(table.c.id.in_(chunk))):
            keys[number] = VariantKey(*names)
    return keys


def _log_tails(connection: Connection, numbers: Sequence[int]) -> Mapping[tuple[int, int], str]:
    tails: dict[tuple[int, int], str] = {}
    for chunk in chunks(numbers):
        query = select(tables.log_tails).where(tables.log_tails.c.run.in_(chunk))
        for run, variant, tail in connection.execute(query):
            tails[run, variant] = unpacked(tail)
    return tails


def _figures(
    connection: Connection, numbers: Sequence[int], metrics: Sequence[str] | None
) -> dict[int, dict[MetricKey, Figure]]:
    table = tables.figures
    rows: list[Any] = []
    for chunk in chunks(numbers):
        query = select(table.c.run, table.c.metric, table.c.measured).where(table.c.run.in_(chunk))
        if metrics is not None:
            named = select(tables.metrics.c.id).where(tables.metrics.c.metric.in_(list(metrics)))
            query = query.where(table.c.metric.in_(named))
        rows += connection.execute(query)
    described = _metrics(connection, {metric for _, metric, _ in rows})
    # Of one document the values are read far quicker than of thousands.
    measured = json.loads("[" + ",".join([text for _, _, text in rows]) + "]")
    found: dict[int, dict[MetricKey, Figure]] = {number: {} for number in numbers}
    for (run, metric, _), values in zip(rows, measured, strict=True):
        key, unit, direction, reduction = described[metric]
        found[run][key] = Figure(tuple(values), unit, direction, reduction)
    return found


def _metrics(
    connection: Connection, ids: Iterable[int]
) -> dict[int, tuple[MetricKey, str | None, str | None, str]]:
    found = {}
    metrics, variants = tables.metrics, tables.variants
    for chunk in chunks(sorted(ids)):
        query = (
            select(metrics, variants.c.suite, variants.c.benchmark, variants.c.variant.label("variant_name"))
            .join(variants, variants.c.id == metrics.c.variant)
            .where(metrics.c.id.in_(chunk))
        )
        for row in connection.execute(query):
            key = MetricKey(row.suite, row.benchmark, row.variant_name, row.metric)
            found[row.id] = (key, row.unit, row.direction, row.reduction)
    return found


def unpacked(tail: bytes) -> str:
    """The inverse of ``insertion.packed``."""
    return zlib.decompress(tail).decode("utf-8", "surrogatepass")
