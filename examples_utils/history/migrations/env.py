"""The script that Alembic runs to migrate a history: see `history.database.schema`, which passes the connection."""

from alembic import context

from examples_utils.history.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite rolls DDL back as well, as this project begins the transaction.
    transactional_ddl=True,
)
context.run_migrations()
