"""The history as others use it: open it, add runs, list them, load them.

Runs are ordered by when they started, as their machine's clock said in UTC; those of the same instant by when they
were added. A run that says it began after it was added (its clock was ahead) has the place of its adding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Engine

from examples_utils.history.database import pruning, references, tables
from examples_utils.history.database.connection import (
    database_url,
    open_engine,
    reading,
    shown,
    shrink,
    writing,
)
from examples_utils.history.database.insertion import insert_contents, run_row
from examples_utils.history.database.loading import load_runs
from examples_utils.history.database.schema import ensure_schema
from examples_utils.history.database.summaries import RunSummary, newest_first, summaries
from examples_utils.history.database.write_probe import write_and_roll_back
from examples_utils.history.merge_runs import merge_runs
from examples_utils.history.problems import HistoryError
from examples_utils.run_model import Run

__all__ = ["History", "HistoryError", "RunSummary", "open_history"]


@contextlib.contextmanager
def open_history(url: str, *, create: bool = False) -> Iterator[History]:
    """The history of this URL: SQLAlchemy's (``sqlite:///history.db``, ``postgresql://…``) or a plain file path.

    With ``create`` one that is not there is made; one of an older version is migrated in any case.

    Raises:
        HistoryError: (a RequestError) there is none, it is of a newer version, read-only, locked or no history, or
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
        """How messages call it; without a password."""
        return shown(self._engine.url)

    def add(self, run: Run) -> bool:
        """Adds a run whole. False if it was there already in full, and then nothing has changed.

        A run that is there and has grown since (it was added while it ran, or was resumed) is completed, and nothing
        of it that was there is lost: see ``merge_runs.merge_runs``.

        Raises:
            ValueError: it holds NaN or its like, or a start that is no time.
        """
        runs = tables.runs
        with writing(self._engine) as connection:
            known = load_runs(connection, [run.run_id], None, log_tails=True).get(run.run_id)
            if known is None:
                row = run_row(connection, run, datetime.now(timezone.utc))
                number = connection.execute(insert(runs).returning(runs.c.id), row).scalar_one()
                insert_contents(connection, run, number)
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
        """Writes a run and takes it back, which waits for other writers as ``add`` does; nothing has changed.

        Raises:
            HistoryError: it cannot be added to; an UnreachableError if that may pass.
        """
        with writing(self._engine) as connection:
            write_and_roll_back(connection)

    def __contains__(self, run_id: str) -> bool:
        """Whether there is a run of this id, be it whole or not."""
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
        """Summaries of the runs for which all that is given holds, the newest first, at most ``limit``.

        ``machine_key`` is ``fingerprint.machine_key`` of a machine, or that of another summary; ``before_run`` is
        the id of one, which is not among those before it.
        """
        query = newest_first(suite, machine_key, branch, before_run, limit)
        with reading(self._engine) as connection:
            return summaries(connection, query)

    def load(
        self, run_ids: Sequence[str], metrics: Sequence[str] | None = None, *, log_tails: bool = True
    ) -> list[Run]:
        """The runs with these ids, in this order, with all figures or only those of the metrics with these names.

        Without ``log_tails``, which are most of what is stored, loading takes half the time.

        Raises:
            HistoryError: there is no such run.
        """
        with reading(self._engine) as connection:
            found = load_runs(connection, list(dict.fromkeys(run_ids)), metrics, log_tails)
        if missing := [run_id for run_id in run_ids if run_id not in found]:
            raise HistoryError(
                f"{self.title}: holds no run {missing[0]}; history list shows those that it has"
            )
        return [found[run_id] for run_id in run_ids]

    def prune(
        self, *, keep_days: int | None = None, keep_runs: int | None = None, dry_run: bool = False
    ) -> list[RunSummary]:
        """Removes old runs and gives what they were, the newest first; with ``dry_run`` it only gives them.

        Runs of the last ``keep_days`` days stay, and so do the newest ``keep_runs`` of each machine: with both, a run
        goes if neither keeps it. The file of SQLite shrinks.
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
        """The run ids that a reference names, the newest first; never empty.

        - ``latest``, ``latest~N``: the newest run, the one N before it.
        - ``branch:NAME``, ``branch:NAME:N``: the last run, or the last N runs, of a branch.
        - a run id, or the beginning of one that no other run shares (from 4 characters).
        - any revision of git, such as ``HEAD~1``, a tag, or a commit: all runs of that commit which were made without
          changed files. It is looked up in the checkout that the program was started in.

        Raises:
            HistoryError: it names no run, or its beginning is that of several.
        """
        with reading(self._engine) as connection:
            return references.resolve(connection, reference, self.title)
