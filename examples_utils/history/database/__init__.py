"""The tables of the history: the connection, the schema, and rows from and to values."""
