"""The tables of the history, as they are in the newest version of its schema.

A metric of a run is a row of `figures`; everything that many runs share (fingerprints, settings, commands, names) is
stored once and found by its digest. The migrations in `migrations/versions` create the same tables; a test compares
them.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = "0003"
VERSION_TABLE = "history_version"

_TO_ESCAPE = re.compile(r"[\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(?:u([0-9a-f]{4})|(\\))")


class AnyText(TypeDecorator[str]):
    """Text that may contain what a database's text cannot: NUL (PostgreSQL) and surrogates (UTF-8)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else _decode(value)


def _encode(text: str) -> str:
    """Escapes backslashes, NUL and surrogates; all other text stays unchanged."""
    return _TO_ESCAPE.sub(lambda match: "\\\\" if match[0] == "\\" else f"\\u{ord(match[0]):04x}", text)


def _decode(text: str) -> str:
    """The inverse of `_encode`."""
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: match[2] or chr(int(match[1], 16)), text)


metadata = MetaData()


def _by_digest(name: str, *columns: Column[Any]) -> Table:
    """A table with rows that many others share, each found by its digest."""
    digest = Column("digest", Text, nullable=False, unique=True)
    return Table(name, metadata, Column("id", Integer, primary_key=True), digest, *columns)


def _contents(name: str) -> Table:
    """Content that many rows share: JSON or text."""
    return _by_digest(name, Column("content", AnyText, nullable=False))


machines = _contents("machines")
software = _contents("software")
settings = _contents("settings")
parameters = _contents("parameters")
commands = _contents("commands")

# What users know of machines. `machine_key` is that of runs; machines with the same `joined_key`, which is the
# `machine_key` of one of them, count as one. A machine that was neither named nor joined has no row.
known_machines = Table(
    "known_machines",
    metadata,
    Column("machine_key", Text, primary_key=True),
    Column("joined_key", Text, nullable=False),
    Column("name", AnyText),
)

# `id` is the order in which runs were added. `ordered_us` orders them: microseconds since 1970, see `store`.
runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", AnyText, nullable=False, unique=True),
    Column("started_utc", AnyText, nullable=False),
    Column("added_utc", Text, nullable=False),
    Column("ordered_us", BigInteger, nullable=False),
    Column("machine", Integer, ForeignKey("machines.id"), nullable=False),
    Column("machine_key", Text, nullable=False),
    Column("software", Integer, ForeignKey("software.id"), nullable=False),
    Column("commit_hash", AnyText),
    Column("dirty", Boolean),
    Column("branch", AnyText),
    Column("canary", Text, nullable=False),
    Index("runs_in_order", "ordered_us", "id"),
    Index("runs_of_commit", "commit_hash"),
)

variants = _by_digest(
    "variants",
    Column("suite", AnyText, nullable=False),
    Column("benchmark", AnyText, nullable=False),
    Column("variant", AnyText, nullable=False),
)

# A metric whose unit, direction or reduction has changed is another row.
metrics = _by_digest(
    "metrics",
    Column("variant", Integer, ForeignKey("variants.id"), nullable=False),
    Column("metric", AnyText, nullable=False),
    Column("unit", AnyText),
    Column("direction", Text),
    Column("reduction", AnyText, nullable=False),
)


def _of_run() -> Column[int]:
    return Column("run", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


# The suites of a run's variants: redundant to the results, but fast to find.
run_suites = Table("run_suites", metadata, _of_run(), Column("suite", AnyText, primary_key=True))


def _of_variant() -> Column[int]:
    return Column("variant", Integer, ForeignKey("variants.id"), primary_key=True)


results = Table(
    "results",
    metadata,
    _of_run(),
    _of_variant(),
    Column("status", Text, nullable=False),
    Column("reason", AnyText),
    Column("settings", Integer, ForeignKey("settings.id"), nullable=False),
    Column("parameters", Integer, ForeignKey("parameters.id"), nullable=False),
    Column("command", Integer, ForeignKey("commands.id"), nullable=False),
    Column("threshold", Float(53)),
    Column("warnings", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Apart from the results, as they are far larger and seldom needed. Compressed UTF-8.
log_tails = Table(
    "log_tails",
    metadata,
    _of_run(),
    _of_variant(),
    Column("tail", LargeBinary, nullable=False),
)

# `measured` is a JSON list: one value per repetition.
figures = Table(
    "figures",
    metadata,
    _of_run(),
    Column("metric", Integer, ForeignKey("metrics.id"), primary_key=True),
    Column("measured", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What nights have reported, and what became of it. `first_after` and `last_before` are JSON: facts of the runs between
# which it began, which stay known when the runs are removed.
regressions = Table(
    "regressions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine_key", Text, nullable=False),
    Column("variant", Integer, ForeignKey("variants.id"), nullable=False),
    Column("metric", AnyText, nullable=False),
    Column("first_after", Text, nullable=False),
    Column("last_before", Text),
    Column("ratio", Float(53)),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("called_utc", AnyText),
    Column("gone_utc", AnyText),
    Column("accepted_utc", Text),
    Column("accepted_by", AnyText),
    Column("reason", AnyText),
    Index("regressions_of_machine", "machine_key"),
)

# The tables with rows of a single run.
OF_RUN = (figures, log_tails, results, run_suites)
