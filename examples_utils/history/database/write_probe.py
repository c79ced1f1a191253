"""Checks that a history can be written by writing a run and rolling it back."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import uuid4

from sqlalchemy import Connection, insert

from examples_utils.history.database import tables
from examples_utils.history.database.insertion import insert_contents, run_row
from examples_utils.results.record import PASSED
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


def write_and_roll_back(connection: Connection) -> None:
    """Inserts a run into every table that runs need, and rolls the transaction back: nothing changes.

    A server grants its rights table by table. Raises DBAPIError if one of the tables accepts no row.
    """
    now = datetime.now(timezone.utc)
    run = _probe_run(now)
    row = run_row(connection, run, now)
    number = connection.execute(insert(tables.runs).returning(tables.runs.c.id), row).scalar_one()
    insert_contents(connection, run, number)
    connection.rollback()


def _probe_run(now: datetime) -> Run:
    """Returns a run of which nothing can exist already: an existing row is not written."""
    word = f"probe {uuid4()}"
    key = VariantKey(word, word, word)
    return Run(
        run_id=word,
        started_utc=now.isoformat(),
        machine={"hostname": word},
        software={"packages": word},
        variants={key: VariantFacts(PASSED, None, {word: word}, {word: word}, word, log_tail=word)},
        metrics={MetricKey(*key, word): Metric((1.0,))},
    )
