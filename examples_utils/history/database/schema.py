"""The version of a history's schema: created, checked and migrated when a history is opened.

Alembic is imported only to create or migrate, as importing it takes longer than adding a run.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import Engine

from examples_utils.history.database.connection import reading, shown, writing
from examples_utils.history.database.tables import SCHEMA_VERSION, VERSION_TABLE, metadata
from examples_utils.history.problems import HistoryError

MIGRATIONS = Path(__file__).parents[1] / "migrations"


def ensure_schema(engine: Engine, create: bool) -> None:
    """Upgrades the database to the newest version of the schema, keeping its contents.

    Raises:
        HistoryError: It has a newer version, is not a history, or is empty (without `create`).
    """
    with reading(engine) as connection:
        version = _version(connection)
    if version == SCHEMA_VERSION:
        return
    if version is None and not create:
        raise HistoryError(
            f"{shown(engine.url)}: contains no history; begin one with: history add LOG_DIR --history URL"
        )
    with writing(engine) as connection:
        # Another process may have been faster.
        if _version(connection) != SCHEMA_VERSION:
            migrate(connection, SCHEMA_VERSION)


def migrate(connection: Connection, version: str) -> None:
    """Migrates the tables from any older version to this one, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _version(connection: Connection) -> str | None:
    """Returns the schema's version, or None if the database contains no history. Raises HistoryError if unusable."""
    title = shown(connection.engine.url)
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        is_sqlite = connection.dialect.name == "sqlite"
        # A database on a shared server may contain other tables; a file is a history or it is not.
        if taken := sorted(tables if is_sqlite else tables & set(metadata.tables)):
            raise HistoryError(
                f"{title}: is not a history: it contains other tables ({', '.join(taken[:5])}); name another database"
            )
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    if found is None:
        return None
    if not str(found).isdigit() or int(found) > int(SCHEMA_VERSION):
        raise HistoryError(
            f"{title}: has a newer version of the history ({found}; this program supports up to {SCHEMA_VERSION}): "
            f"update examples-utils, or name another history"
        )
    return str(found)
