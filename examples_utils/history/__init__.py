"""All runs, in a database."""
