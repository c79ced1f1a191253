"""Rows that many others refer to, stored once and found by their digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert, select

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
    found: dict[int, Any] = {}
    for chunk in chunks(sorted(set(ids))):
        query = select(table.c.id, table.c.content).where(table.c.id.in_(chunk))
        found.update((row.id, read(row.content)) for row in connection.execute(query))
    return found


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Yields as many items at a time as one statement accepts."""
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _known_ids(connection: Connection, table: Table, digests: Sequence[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for chunk in chunks(digests):
        query = select(table.c.digest, table.c.id).where(table.c.digest.in_(chunk))
        known.update((digest, number) for digest, number in connection.execute(query))
    return known
