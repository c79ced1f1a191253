"""Removes old runs, and the rows that only they needed."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone

from sqlalchemy import Connection, delete, select

from examples_utils.history.database import tables
from examples_utils.history.database.insertion import microseconds
from examples_utils.history.database.machines import known_machines
from examples_utils.history.database.shared_rows import chunks
from examples_utils.history.database.summaries import newest_first

_DAY_US = 24 * 3600 * 1_000_000
_SHARED = (
    (tables.machines, tables.runs.c.machine),
    (tables.software, tables.runs.c.software),
    (tables.settings, tables.results.c.settings),
    (tables.parameters, tables.results.c.parameters),
    (tables.commands, tables.results.c.command),
)


def old_runs(connection: Connection, keep_days: int | None, keep_runs: int | None) -> list[int]:
    """Returns the `runs.id` of runs that neither limit keeps; None keeps none."""
    oldest_us = None
    if keep_days is not None:
        # Integers of any size: a date cannot precede the year 1.
        oldest_us = microseconds(datetime.now(timezone.utc)) - keep_days * _DAY_US
    known = known_machines(connection)
    seen: Counter[str] = Counter()
    old = []
    for row in connection.execute(newest_first()):
        machine = known.joined_key(row.machine_key)
        seen[machine] += 1
        young = oldest_us is not None and row.ordered_us >= oldest_us
        among_newest = keep_runs is not None and seen[machine] <= keep_runs
        if not (young or among_newest):
            old.append(row.id)
    return old


def remove(connection: Connection, numbers: list[int]) -> None:
    """Removes these runs with all rows that no other run needs. Names of variants and metrics stay: they are few."""
    for chunk in chunks(numbers):
        for table in tables.OF_RUN:
            connection.execute(delete(table).where(table.c.run.in_(chunk)))
        connection.execute(delete(tables.runs).where(tables.runs.c.id.in_(chunk)))
    for shared, used in _SHARED:
        connection.execute(delete(shared).where(shared.c.id.not_in(select(used).distinct())))
