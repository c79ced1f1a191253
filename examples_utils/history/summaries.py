"""What a list of runs says of each, without its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select

from examples_utils.history import tables
from examples_utils.history.insertion import microseconds
from examples_utils.history.shared_rows import chunks, contents_of


@dataclass(frozen=True)
class RunSummary:
    """One run as lists show it.

    ``machine_key`` is the same for machines whose figures are comparable (``fingerprint.machine_key``). The last four
    count its variants by status.
    """

    run_id: str
    started_utc: str
    added_utc: str
    hostname: str | None
    machine_key: str
    commit: str | None
    dirty: bool | None
    branch: str | None
    suites: tuple[str, ...]
    passed: int
    failed: int
    skipped: int
    not_run: int


def newest_first(
    suite: str | None = None,
    machine_key: str | None = None,
    branch: str | None = None,
    before_utc: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """The query for rows of ``runs``, the newest first. Raises ValueError if ``before_utc`` is no time."""
    runs, results, variants = tables.runs, tables.results, tables.variants
    query = select(runs).order_by(runs.c.ordered_us.desc(), runs.c.id.desc()).limit(limit)
    if suite is not None:
        of_suite = results.join(variants, variants.c.id == results.c.variant)
        query = query.where(
            exists().select_from(of_suite).where(results.c.run == runs.c.id, variants.c.suite == suite)
        )
    if machine_key is not None:
        query = query.where(runs.c.machine_key == machine_key)
    if branch is not None:
        query = query.where(runs.c.branch == branch)
    if before_utc is not None:
        query = query.where(runs.c.ordered_us < microseconds(datetime.fromisoformat(before_utc)))
    return query


def summaries(connection: Connection, query: Select[Any]) -> list[RunSummary]:
    """What the runs of such a query are."""
    rows = connection.execute(query).all()
    machines = contents_of(connection, tables.machines, (row.machine for row in rows), json.loads)
    counts, suites = _counted(connection, [row.id for row in rows])
    return [
        RunSummary(
            run_id=row.run_id,
            started_utc=row.started_utc,
            added_utc=row.added_utc,
            hostname=machines[row.machine].get("hostname"),
            machine_key=row.machine_key,
            commit=row.commit_hash,
            dirty=row.dirty,
            branch=row.branch,
            suites=tuple(sorted(suites.get(row.id, ()))),
            **{name: counts.get((row.id, status), 0) for name, status in _STATUSES.items()},
        )
        for row in rows
    ]


_STATUSES = {"passed": "passed", "failed": "failed", "skipped": "skipped", "not_run": "not run"}


def _counted(
    connection: Connection, numbers: Sequence[int]
) -> tuple[dict[tuple[int, str], int], dict[int, set[str]]]:
    """How many variants of each status, and which suites, each run has."""
    results, variants = tables.results, tables.variants
    counts: dict[tuple[int, str], int] = {}
    suites: dict[int, set[str]] = {}
    for chunk in chunks(numbers):
        query = (
            select(results.c.run, results.c.status, variants.c.suite, func.count())
            .join(variants, variants.c.id == results.c.variant)
            .where(results.c.run.in_(chunk))
            .group_by(results.c.run, results.c.status, variants.c.suite)
        )
        for run, status, suite, count in connection.execute(query):
            counts[run, status] = counts.get((run, status), 0) + count
            suites.setdefault(run, set()).add(suite)
    return counts, suites
