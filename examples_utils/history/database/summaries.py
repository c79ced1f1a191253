"""Summaries of runs for lists, without their metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from examples_utils.history.database import tables
from examples_utils.history.database.machines import is_of, known_machines
from examples_utils.history.database.shared_rows import contents_of, rows_of

# Databases accept limited integers, and no history has so many runs.
MAX_RUNS = 2**62


@dataclass(frozen=True)
class RunSummary:
    """One run as lists show it.

    `machine` is its fingerprint; `machine_key` is the same for machines whose metrics are comparable
    (`fingerprint.machine_key`, or that of the machine with which it was joined); `machine_name` is what users named it.
    `passed`, `failed`, `skipped` and `not_run` count its variants by status.
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
    machine: Mapping[str, Any] = field(default_factory=dict)
    machine_name: str | None = None

    @property
    def variants(self) -> int:
        """The number of its variants."""
        return self.passed + self.failed + self.skipped + self.not_run


def newest_first(
    suite: str | None = None,
    machine_key: str | None = None,
    branch: str | None = None,
    before_run: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """Returns the query for rows of `runs`, the newest first; empty for an unknown `before_run`."""
    runs, run_suites = tables.runs, tables.run_suites
    most = None if limit is None else min(limit, MAX_RUNS)
    query = select(runs).order_by(runs.c.ordered_us.desc(), runs.c.id.desc()).limit(most)
    if suite is not None:
        query = query.where(exists().where(run_suites.c.run == runs.c.id, run_suites.c.suite == suite))
    if machine_key is not None:
        query = query.where(is_of(machine_key))
    if branch is not None:
        query = query.where(runs.c.branch == branch)
    if before_run is not None:
        later = runs.alias()
        ordered_us, number = (
            select(column).where(later.c.run_id == before_run).scalar_subquery()
            for column in (later.c.ordered_us, later.c.id)
        )
        of_that_moment = and_(runs.c.ordered_us == ordered_us, runs.c.id < number)
        query = query.where(or_(runs.c.ordered_us < ordered_us, of_that_moment))
    return query


def summaries(connection: Connection, query: Select[Any]) -> list[RunSummary]:
    """Returns the summaries of the runs of such a query."""
    rows = connection.execute(query).all()
    machines = contents_of(connection, tables.machines, (row.machine for row in rows), json.loads)
    known = known_machines(connection)
    numbers = [row.id for row in rows]
    suites, counts = _suites(connection, numbers), _counts(connection, numbers)
    return [
        RunSummary(
            run_id=row.run_id,
            started_utc=row.started_utc,
            added_utc=row.added_utc,
            hostname=machines[row.machine].get("hostname"),
            machine=machines[row.machine],
            machine_key=known.joined_key(row.machine_key),
            machine_name=known.names.get(known.joined_key(row.machine_key)),
            commit=row.commit_hash,
            dirty=row.dirty,
            branch=row.branch,
            suites=tuple(sorted(suites.get(row.id, ()))),
            **{name: counts.get((row.id, status), 0) for name, status in _STATUSES.items()},
        )
        for row in rows
    ]


_STATUSES = {"passed": "passed", "failed": "failed", "skipped": "skipped", "not_run": "not run"}


def _suites(connection: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    suites: dict[int, list[str]] = {}
    for run, suite in rows_of(connection, select(tables.run_suites), tables.run_suites.c.run, numbers):
        suites.setdefault(run, []).append(suite)
    return suites


def _counts(connection: Connection, numbers: Sequence[int]) -> dict[tuple[int, str], int]:
    """Returns the number of variants of each run with each status."""
    run, status = tables.results.c.run, tables.results.c.status
    query = select(run, status, func.count()).group_by(run, status)
    return {(number, ended): count for number, ended, count in rows_of(connection, query, run, numbers)}
