"""The public interface of the history: open it, add runs, list them, load them.

Runs are ordered by their start, by their machine's clock in UTC; those of the same instant by when they
were added. A run whose start is later than its addition (its clock was ahead) is ordered by its addition.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Engine

from examples_utils.history.database import machines, pruning, references, tables
from examples_utils.history.database.connection import (
    database_url,
    open_engine,
    reading,
    shown,
    shrink,
    writing,
)
from examples_utils.history.database.insertion import (
    insert_contents,
    insert_run,
    run_row,
    write_and_roll_back,
)
from examples_utils.history.database.loading import load_runs
from examples_utils.history.database.machines import Machine
from examples_utils.history.database.regressions import load_regressions, replace_regressions
from examples_utils.history.database.schema import ensure_schema
from examples_utils.history.database.summaries import RunSummary, newest_first, summaries
from examples_utils.history.merge_runs import merge_runs
from examples_utils.history.problems import HistoryError
from examples_utils.history.regressions import ReportedRegression
from examples_utils.run_model import Run

__all__ = ["History", "HistoryError", "RunSummary", "open_history"]


@contextlib.contextmanager
def open_history(url: str, *, create: bool = False) -> Iterator[History]:
    """Opens the history at a URL: SQLAlchemy's (`sqlite:///history.db`, `postgresql://…`) or a plain file path.

    With `create`, a missing one is created; an older version is migrated in any case.

    Raises:
        HistoryError: (a RequestError) It does not exist, has a newer version, is read-only, locked or not a history, or
            its server is down. The methods of the history raise it too.
    """
    engine = open_engine(database_url(url), create)
    try:
        ensure_schema(engine, create)
        yield History(engine)
    finally:
        engine.dispose()


class History:
    """An open history. Each method is a transaction of its own: what it has written is on disk when it returns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def title(self) -> str:
        """The name for messages; without a password."""
        return shown(self._engine.url)

    def add(self, run: Run) -> bool:
        """Adds a complete run. Returns False, with nothing changed, if it was already complete.

        A run that is there and has grown since (it was added while it ran, or was resumed) is completed, without loss:
        see `merge_runs.merge_runs`.

        Raises:
            ValueError: It contains NaN or an infinity, or its start is not a valid time.
        """
        runs = tables.runs
        with writing(self._engine) as connection:
            known = load_runs(connection, [run.run_id], None, log_tails=True).get(run.run_id)
            if known is None:
                insert_run(connection, run, datetime.now(timezone.utc))
                return True
            whole = merge_runs(known, run)
            if whole == known:
                return False
            stored = connection.execute(
                select(runs.c.id, runs.c.added_utc).where(runs.c.run_id == run.run_id)
            ).one()
            row = run_row(connection, whole, datetime.fromisoformat(stored.added_utc))
            connection.execute(update(runs).where(runs.c.id == stored.id), row)
            for table in tables.OF_RUN:
                connection.execute(delete(table).where(table.c.run == stored.id))
            insert_contents(connection, whole, stored.id)
            return True

    def refuse_unwritable(self) -> None:
        """Writes a run and rolls it back, waiting for other writers as `add` does; nothing changes.

        Raises:
            HistoryError: It cannot be written; an UnreachableError if that may be temporary.
        """
        with writing(self._engine) as connection:
            write_and_roll_back(connection)

    def __contains__(self, run_id: str) -> bool:
        """Whether there is a run with this ID, complete or not."""
        with reading(self._engine) as connection:
            query = select(tables.runs.c.id).where(tables.runs.c.run_id == run_id)
            return connection.execute(query).first() is not None

    def runs(
        self,
        *,
        suite: str | None = None,
        machine_key: str | None = None,
        branch: str | None = None,
        before_run: str | None = None,
        limit: int | None = None,
    ) -> list[RunSummary]:
        """Returns summaries of the runs that match all arguments, the newest first, at most `limit`.

        `machine_key` is `fingerprint.machine_key` of a machine, or that of another summary; `before_run` is
        the ID of a run; only runs before it match.
        """
        query = newest_first(suite, machine_key, branch, before_run, limit)
        with reading(self._engine) as connection:
            return summaries(connection, query)

    def machines(self) -> list[Machine]:
        """Returns the machines of all runs, the most recently active first; joined ones are one."""
        with reading(self._engine) as connection:
            return machines.machines(connection)

    def joined_key(self, machine_key: str) -> str:
        """Returns the key in the summaries of the runs of a machine with this `fingerprint.machine_key`."""
        with reading(self._engine) as connection:
            return machines.known_machines(connection).joined_key(machine_key)

    def name_machine(self, key: str, name: str | None) -> None:
        """Names the machine with this `Machine.key`; None removes its name."""
        with writing(self._engine) as connection:
            machines.name_machine(connection, key, name)

    def join_machines(self, keys: Sequence[str]) -> None:
        """Makes the machines with these `Machine.key`s count as one: their runs are comparable. The last one leads."""
        with writing(self._engine) as connection:
            machines.join_machines(connection, keys)

    def separate_machine(self, key: str) -> None:
        """Undoes the joins of the machine with this `Machine.key`."""
        with writing(self._engine) as connection:
            machines.separate_machine(connection, key)

    def load(
        self, run_ids: Sequence[str], metrics: Sequence[str] | None = None, *, log_tails: bool = True
    ) -> list[Run]:
        """Returns the runs with these IDs, in this order, with all metrics or only those with these names.

        Omitting `log_tails`, which are most of the data, halves the loading time.

        Raises:
            HistoryError: A run does not exist.
        """
        with reading(self._engine) as connection:
            found = load_runs(connection, list(dict.fromkeys(run_ids)), metrics, log_tails)
        if missing := [run_id for run_id in run_ids if run_id not in found]:
            raise HistoryError(f"{self.title}: has no run {missing[0]}; history list shows the runs")
        return [found[run_id] for run_id in run_ids]

    def regressions(self, machine_key: str) -> list[ReportedRegression]:
        """Returns the regressions that were reported on a machine, and what became of them."""
        with reading(self._engine) as connection:
            return list(load_regressions(connection, machine_key).values())

    def update_regressions(
        self,
        machine_key: str,
        change: Callable[[Sequence[ReportedRegression]], Sequence[ReportedRegression]],
    ) -> list[ReportedRegression]:
        """Replaces the regressions of a machine by what `change` makes of them, and returns these.

        No other writer comes between reading and writing. An exception of `change` changes nothing.
        """
        with writing(self._engine) as connection:
            before = load_regressions(connection, machine_key)
            after = list(change(tuple(before.values())))
            replace_regressions(connection, machine_key, before, after)
            return after

    def prune(
        self, *, keep_days: int | None = None, keep_runs: int | None = None, dry_run: bool = False
    ) -> list[RunSummary]:
        """Removes old runs and returns their summaries, the newest first; with `dry_run`, removes nothing.

        Runs of the last `keep_days` days stay, and so do the newest `keep_runs` of each machine: with both, a run
        is removed if neither keeps it. A SQLite file shrinks.
        """
        with writing(self._engine) as connection:
            old = pruning.old_runs(connection, keep_days, keep_runs)
            removed = summaries(connection, newest_first().where(tables.runs.c.id.in_(old))) if old else []
            if old and not dry_run:
                pruning.remove(connection, old)
        if removed and not dry_run:
            shrink(self._engine)
        return removed

    def resolve(self, reference: str) -> list[str]:
        """Returns the run IDs that a reference names, the newest first; never empty.

        - `latest`, `latest~N`: the newest run, the one N before it.
        - `branch:NAME`, `branch:NAME:N`: the last run, or the last N runs, of a branch; all if it has fewer.
        - a run ID, or a unique prefix of one (from 4 characters).
        - any revision of git, such as `HEAD~1`, a tag, or a commit: all runs of that commit that were made without
          changed files. It is looked up in the checkout of the current folder.

        Raises:
            HistoryError: It names no run, or it is a prefix of several IDs.
        """
        with reading(self._engine) as connection:
            return references.resolve(connection, reference, self.title)

    def shortfall(self, reference: str, found: int) -> tuple[str, ...]:
        """Returns a warning if a reference asks for more runs than the `found` ones; otherwise nothing."""
        requested = references.requested_runs(reference)
        if requested is None or requested <= found:
            return ()
        return (
            f"{reference}: {self.title} has {found} {'run' if found == 1 else 'runs'} of this branch; using all",
        )
