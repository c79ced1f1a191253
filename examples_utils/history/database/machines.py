"""Machines of a history: which count as one, and how users name them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from examples_utils.history.database import tables
from examples_utils.history.database.shared_rows import contents_of

_KNOWN = tables.known_machines


@dataclass(frozen=True)
class Machine:
    """A machine with its runs. `keys` are those of its runs, the latest first; several if machines were joined.

    `facts` is the fingerprint of its last run. `hostnames` are sorted; times are ISO 8601 with offset.
    """

    key: str
    name: str | None
    keys: tuple[str, ...]
    hostnames: tuple[str, ...]
    runs: int
    first_started_utc: str
    last_started_utc: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class KnownMachines:
    """Names and joins: key → key of the joined machine, and that key → name."""

    joined: Mapping[str, str]
    names: Mapping[str, str]

    def joined_key(self, key: str) -> str:
        """Returns the key that all machines joined with this one share."""
        return self.joined.get(key, key)

    def keys(self, key: str) -> frozenset[str]:
        """Returns the keys of all machines that count as this one."""
        shared = self.joined_key(key)
        return frozenset(other for other, joined in self.joined.items() if joined == shared) | {key}


def known_machines(connection: Connection) -> KnownMachines:
    """Reads all names and joins: there are as many as users made."""
    rows = connection.execute(select(_KNOWN)).all()
    return KnownMachines(
        {row.machine_key: row.joined_key for row in rows},
        {row.machine_key: row.name for row in rows if row.name is not None},
    )


def is_of(key: str) -> ColumnElement[bool]:
    """The condition that a row of `runs` is of this machine, or of one that was joined with it."""
    joined = select(_KNOWN.c.joined_key).where(_KNOWN.c.machine_key == key).scalar_subquery()
    keys = select(_KNOWN.c.machine_key).where(_KNOWN.c.joined_key == joined)
    return or_(tables.runs.c.machine_key == key, tables.runs.c.machine_key.in_(keys))


def machines(connection: Connection) -> list[Machine]:
    """Returns all machines with runs, the most recently active first."""
    known = known_machines(connection)
    runs = tables.runs.c
    query = (
        select(runs.machine_key, runs.machine, func.count().label("runs"))
        .add_columns(func.min(runs.started_utc).label("first"), func.max(runs.started_utc).label("last"))
        .add_columns(func.max(runs.ordered_us).label("newest"))
        .group_by(runs.machine_key, runs.machine)
        .order_by(func.max(runs.ordered_us).desc())
    )
    rows = connection.execute(query).all()
    facts = contents_of(connection, tables.machines, (row.machine for row in rows), json.loads)
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(known.joined_key(row.machine_key), []).append(row)
    return [_machine(key, parts, facts, known) for key, parts in grouped.items()]


def _machine(key: str, rows: Sequence[Any], facts: Mapping[int, Any], known: KnownMachines) -> Machine:
    hosts = {str(host) for row in rows if (host := facts[row.machine].get("hostname")) is not None}
    return Machine(
        key=key,
        name=known.names.get(key),
        keys=tuple(dict.fromkeys(row.machine_key for row in rows)),
        hostnames=tuple(sorted(hosts)),
        runs=sum(row.runs for row in rows),
        first_started_utc=min(row.first for row in rows),
        last_started_utc=max(row.last for row in rows),
        facts=facts[rows[0].machine],
    )


def name_machine(connection: Connection, key: str, name: str | None) -> None:
    """Names the machine with this joined key; None removes its name."""
    if connection.execute(update(_KNOWN).where(_KNOWN.c.machine_key == key).values(name=name)).rowcount == 0:
        connection.execute(insert(_KNOWN), {"machine_key": key, "joined_key": key, "name": name})


def join_machines(connection: Connection, keys: Sequence[str]) -> None:
    """Makes the machines with these joined keys count as one, which has the key and, if any, the name of the last one.

    If that has no name, it gets the last name of the others.
    """
    known = known_machines(connection)
    joined = keys[-1]
    members = dict.fromkeys(member for key in keys for member in sorted(known.keys(key)))
    name = next((known.names[key] for key in reversed(keys) if key in known.names), None)
    _write(connection, dict.fromkeys(members, joined), {joined: name})


def separate_machine(connection: Connection, key: str) -> None:
    """Undoes all joins of the machine with this joined key, which keeps its name."""
    known = known_machines(connection)
    _write(connection, {member: member for member in known.keys(key)}, {key: known.names.get(key)})


def _write(connection: Connection, joined: Mapping[str, str], names: Mapping[str, str | None]) -> None:
    connection.execute(delete(_KNOWN).where(_KNOWN.c.machine_key.in_(list(joined))))
    rows = [{"machine_key": key, "joined_key": one, "name": names.get(key)} for key, one in joined.items()]
    connection.execute(insert(_KNOWN), rows)
