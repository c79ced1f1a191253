"""The history: every added run, in SQLite or PostgreSQL."""
