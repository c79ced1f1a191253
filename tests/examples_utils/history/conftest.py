"""Histories to test with: SQLite, and a real PostgreSQL server that all test processes share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from examples_utils.history.store import History, open_history
from tests.postgresql_server import Server, installed_programs, start_server


@pytest.fixture(scope="session")
def postgresql_programs() -> Path:
    programs = installed_programs()
    if programs is None:
        text = "PostgreSQL is not installed: apt-get install postgresql"
        assert os.environ.get("CI") != "true", text
        pytest.skip(text)
    return programs


@pytest.fixture(scope="session")
def postgresql(postgresql_programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server. The first test process that wants it starts it, the last one stops it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with _users_of_server(shared) as state:
        if not state["users"]:
            started = start_server(postgresql_programs)
            state.update(folder=str(started.folder), port=started.port)
        state["users"] += 1
        server = Server(postgresql_programs, Path(state["folder"]), state["port"])
    yield server.url
    with _users_of_server(shared) as state:
        state["users"] -= 1
        if not state["users"]:
            server.remove()


@contextlib.contextmanager
def _users_of_server(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / "postgresql.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or '{"users": 0}')
        yield state
        file.truncate(0)
        file.write(json.dumps(state))
        file.flush()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a history of its own can be made, on either database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.db'}"
        return
    yield from schema_of_its_own(request.getfixturevalue("postgresql"))


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """Where a history of its own can be made on PostgreSQL."""
    yield from schema_of_its_own(postgresql)


def schema_of_its_own(server: str) -> Iterator[str]:
    """A namespace in the server's database, as quick to make as a file."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        yield f"{server}?options=-csearch_path%3D{name}"
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def history(url: str) -> Iterator[History]:
    with open_history(url, create=True) as opened:
        yield opened
