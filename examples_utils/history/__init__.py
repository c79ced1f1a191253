"""The history: every run that was added, in SQLite or PostgreSQL."""
