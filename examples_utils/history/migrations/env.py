"""What Alembic runs to migrate a history: see ``history.database.schema``, which hands the connection over."""

from alembic import context

from examples_utils.history.database.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite undoes DDL as well, as the transaction begins where we say.
    transactional_ddl=True,
)
context.run_migrations()
