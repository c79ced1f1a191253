"""A run that is written and taken back: only writing tells whether a history can be written."""

from __future__ import annotations

from datetime import datetime, timezone
from uuid import uuid4

from sqlalchemy import Connection, insert

from examples_utils.history.database import tables
from examples_utils.history.database.insertion import insert_contents, run_row
from examples_utils.results.record import PASSED
from examples_utils.run_model import Metric, MetricKey, Run, VariantFacts, VariantKey


def write_and_roll_back(connection: Connection) -> None:
    """Inserts a run into every table that runs need, and rolls the transaction back: nothing has changed.

    A server grants its rights table by table. Raises DBAPIError where one of the tables takes no row.
    """
    now = datetime.now(timezone.utc)
    run = _run_of_nobody(now)
    row = run_row(connection, run, now)
    number = connection.execute(insert(tables.runs).returning(tables.runs.c.id), row).scalar_one()
    insert_contents(connection, run, number)
    connection.rollback()


def _run_of_nobody(now: datetime) -> Run:
    """Nothing of it can be there already: a row that is found is not written."""
    word = f"trial {uuid4()}"
    key = VariantKey(word, word, word)
    return Run(
        run_id=word,
        started_utc=now.isoformat(),
        machine={"hostname": word},
        software={"packages": word},
        variants={key: VariantFacts(PASSED, None, {word: word}, {word: word}, word, log_tail=word)},
        metrics={MetricKey(*key, word): Metric((1.0,))},
    )
