"""The connection to a history's database, and its errors.

SQLite is used in WAL mode, in which readers and the one writer do not block each other; on PostgreSQL, a lock on the
whole history serialises writers as well. So a writer sees no incomplete run, and nothing can deadlock.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from examples_utils.history.database.errors import history_error
from examples_utils.history.problems import HistoryError
from examples_utils.history.redaction import without_password

_WAIT_FOR_OTHERS_S = 60.0
_CONNECT_S = 10
# An arbitrary number that no other program is likely to use on the same server.
_WRITERS_LOCK = 7_203_685_477
_WRITES = "writes_history"
# Unless the URL, the user or the server sets another timeout.
_WAIT_AS_SQLITE_DOES = (
    f"SELECT set_config('lock_timeout', '{_WAIT_FOR_OTHERS_S:.0f}s', true) "
    "WHERE current_setting('lock_timeout') = '0'"
)
# Raised by drivers for an invalid option, such as timeout=5s.
_NOT_UNDERSTOOD = (TypeError, ValueError, OverflowError)


def database_url(text: str) -> URL:
    """Returns SQLAlchemy's URL of a history: a plain file path means SQLite, `postgresql:` uses psycopg.

    Raises:
        HistoryError: It names no database that can hold a history.
    """
    if "://" not in text:
        if not text:
            raise HistoryError("the history's URL is empty; name a file or a postgresql:// URL")
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise HistoryError(
            f"{without_password(text)}: is not the URL of a database; expected a file or postgresql://…"
        ) from None
    kind = url.get_backend_name()
    if kind == "postgresql" or kind == "postgres":
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise HistoryError(
            f"{shown(url)}: a history is kept in SQLite or PostgreSQL; name a file, sqlite:///FILE or postgresql://…"
        )
    if url.database in (None, "", ":memory:"):
        raise HistoryError(f"{without_password(text)}: names no file; name one, such as sqlite:///history.db")
    if url.host or url.port or url.username or url.password:
        path = "/".join(part for part in (url.host, url.database) if part)
        raise HistoryError(
            f"{without_password(text)}: names a server, and SQLite has none; three slashes precede a relative "
            f"path (sqlite:///{path}), four an absolute one (sqlite:////{path})"
        )
    return url


def shown(url: URL) -> str:
    """Returns the name of a history for messages: without the password."""
    return str(url.database) if _is_sqlite(url) else _text_of(url)


def _text_of(url: URL) -> str:
    plain = url.set(drivername=url.get_backend_name())
    return without_password(plain.render_as_string(hide_password=False))


def open_engine(url: URL, create: bool) -> Engine:
    """Returns an engine whose connections are set up for a history. With `create`, creates a missing SQLite file.

    Raises:
        HistoryError: A file is missing or invalid, a driver is not installed, or an option of the URL is wrong.
    """
    if _is_sqlite(url):
        _check_file(Path(str(url.database)), create)
    arguments: dict[str, Any] = (
        {"timeout": _WAIT_FOR_OTHERS_S} if _is_sqlite(url) else {"connect_timeout": _CONNECT_S}
    )
    try:
        # Options of the URL take precedence.
        engine = create_engine(url, connect_args={k: v for k, v in arguments.items() if k not in url.query})
    except (ImportError, NoSuchModuleError) as error:
        raise HistoryError(
            f"{shown(url)}: needs a package that is not installed ({error}): pip install -e '.[history]'"
        ) from None
    except (ArgumentError, *_NOT_UNDERSTOOD) as error:
        raise _wrong_options(url, error) from None
    if _is_sqlite(url):
        if create or not _must_be_left_alone(Path(str(url.database))):
            event.listen(engine, "connect", _set_up_sqlite)
        else:
            event.listen(engine, "do_connect", _connect_to_unchanging)
    event.listen(engine, "do_connect", lambda dialect, _, *given: _connect(url, dialect, *given))
    event.listen(engine, "begin", _begin)
    return engine


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that sees one state of the history. Raises HistoryError if the database fails."""
    with translated_errors(engine.url), engine.connect() as connection, connection.begin():
        yield connection


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that no other writer of the history overlaps. When it ends, its changes are on disk.

    Raises:
        HistoryError: The database fails, or cannot be written.
    """
    with (
        translated_errors(engine.url),
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


def shrink(engine: Engine) -> None:
    """Returns the space of removed rows to the file system, unless others keep the file or the disk is full.

    PostgreSQL does so by itself.
    """
    if not _is_sqlite(engine.url):
        return
    connection = engine.raw_connection()
    try:
        with contextlib.suppress(sqlite3.OperationalError):
            connection.cursor().execute("VACUUM")
    finally:
        connection.close()


@contextlib.contextmanager
def translated_errors(url: URL) -> Iterator[None]:
    """Translates a driver's exceptions to a HistoryError with a remedy."""
    try:
        yield
    except DBAPIError as error:
        raise history_error(shown(url), error, _is_sqlite(url)) from None


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _check_file(file: Path, create: bool) -> None:
    if file.exists():
        if not file.is_file():
            raise HistoryError(f"{file}: is not a file; name one, such as history.db")
    elif not create:
        raise HistoryError(
            f"{file}: no such history; create one with: history add LOG_DIR --history {file}, or name another"
        )
    elif not file.absolute().parent.is_dir():
        raise HistoryError(f"{file}: its folder does not exist; create it, or name another file")
    elif not os.access(file.absolute().parent, os.W_OK):
        raise HistoryError(f"{file}: cannot be created: its folder is read-only")


def _must_be_left_alone(file: Path) -> bool:
    """Whether SQLite cannot even create the auxiliary files that it needs to share the file with others.

    Nobody else has it open now, or these files would exist.
    """
    return not os.access(file.absolute().parent, os.W_OK) and not Path(f"{file}-wal").exists()


def _connect_to_unchanging(_: Any, __: Any, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """Makes SQLite read the file as it is, without any auxiliary file."""
    arguments[0] = f"{Path(arguments[0]).absolute().as_uri()}?immutable=1"
    keywords["uri"] = True


def _connect(url: URL, dialect: Dialect, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """Connects; drivers report invalid options of a URL only here, and not as an error of the database."""
    try:
        return dialect.connect(*arguments, **keywords)
    except _NOT_UNDERSTOOD as error:
        raise _wrong_options(url, error) from None


def _wrong_options(url: URL, error: Exception) -> HistoryError:
    why = without_password(" ".join(str(error).split()))
    return HistoryError(
        f"{_text_of(url)}: one of its options is wrong ({why}); expected such as sqlite:///FILE?timeout=5 (seconds) "
        f"or postgresql://user@host/database?connect_timeout=5"
    )


def _set_up_sqlite(connection: Any, _: Any) -> None:
    # None: transactions begin where this module begins them, not where the driver guesses.
    connection.isolation_level = None
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    if _is_sqlite(connection.engine.url):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        # Whatever the server's default: acknowledged changes survive its crash.
        connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
        connection.exec_driver_sql(_WAIT_AS_SQLITE_DOES)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
