"""Rows that many others refer to, stored once and found by their digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, insert, select

from examples_utils.history.fingerprint import digest_of

# Old versions of SQLite accept 999 values in a statement.
_CHUNK = 900


def ids_of(connection: Connection, table: Table, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Returns the text that identifies a row → its ID. Inserts missing rows.

    Nothing else writes meanwhile: see `connection.writing`.
    """
    digests = {digest_of(text): text for text in rows}
    known = _known_ids(connection, table, list(digests))
    if missing := [digest for digest in digests if digest not in known]:
        connection.execute(insert(table), [{"digest": d, **rows[digests[d]]} for d in missing])
        known |= _known_ids(connection, table, missing)
    return {text: known[digest] for digest, text in digests.items()}


def ids_of_contents(connection: Connection, table: Table, contents: Iterable[str]) -> dict[str, int]:
    """Returns content → ID, as `ids_of`."""
    return ids_of(connection, table, {content: {"content": content} for content in contents})


def contents_of(
    connection: Connection, table: Table, ids: Iterable[int], read: Callable[[str], Any]
) -> dict[int, Any]:
    """Returns ID → content as converted by `read`, converted once however many rows share it."""
    query = select(table.c.id, table.c.content)
    rows = rows_of(connection, query, table.c.id, sorted(set(ids)))
    return {row.id: read(row.content) for row in rows}


def rows_of(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
) -> Iterator[Any]:
    """Yields the rows of the query in which the column has one of these values, however many these are."""
    for chunk in chunks(values):
        yield from connection.execute(query.where(column.in_(chunk)))


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yields as many items at a time as one statement accepts."""
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _known_ids(connection: Connection, table: Table, digests: Sequence[str]) -> dict[str, int]:
    query = select(table.c.digest, table.c.id)
    return {row.digest: row.id for row in rows_of(connection, query, table.c.digest, digests)}
