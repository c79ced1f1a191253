"""The database of the history: the connection, the schema, and conversion between rows and values."""
