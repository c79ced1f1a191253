"""Histories to test with: SQLite, and a real PostgreSQL server that all test processes share."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from examples_utils.history.store import History, open_history


def _binaries() -> Path | None:
    """Where PostgreSQL's programs are; Debian does not put them on the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[4]))
    return installed[-1].parent if installed else None


def _as_ordinary_user() -> dict[str, object]:
    """PostgreSQL refuses to be run by root."""
    if os.geteuid():
        return {}
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A PostgreSQL server of our own in a temporary folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    @classmethod
    def start(cls, binaries: Path) -> Server:
        folder = Path(tempfile.mkdtemp(prefix="history-postgresql-"))
        user = _as_ordinary_user()
        if user:
            os.chown(folder, user["user"], user["group"])  # type: ignore[arg-type]
        data = folder / "data"
        initdb = [binaries / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C",
                  "--no-sync", "--no-instructions"]  # fmt: skip
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        server = cls(folder, 0)
        for _ in range(5):  # another process may take the port first
            server.port = free_port()
            if server.up(binaries):
                return server
        raise AssertionError((folder / "log").read_text())

    def up(self, binaries: Path) -> bool:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        command = [binaries / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", settings]
        started = subprocess.run(
            [*command, "start"], stdout=subprocess.DEVNULL, cwd=self.folder, **_as_ordinary_user()
        )
        return started.returncode == 0

    def down(self, binaries: Path) -> None:
        command = [binaries / "pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **_as_ordinary_user())

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql_binaries() -> Path:
    binaries = _binaries()
    if binaries is None:
        text = "PostgreSQL is not installed: apt-get install postgresql"
        assert os.environ.get("CI") != "true", text
        pytest.skip(text)
    return binaries


@pytest.fixture(scope="session")
def postgresql(postgresql_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server. The first test process that wants it starts it, the last one stops it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with _users_of_server(shared) as state:
        if not state["users"]:
            server = Server.start(postgresql_binaries)
            state.update(folder=str(server.folder), port=server.port)
        state["users"] += 1
        server = Server(Path(state["folder"]), state["port"])
    yield server.url
    with _users_of_server(shared) as state:
        state["users"] -= 1
        if not state["users"]:
            server.down(postgresql_binaries)
            shutil.rmtree(server.folder)


@contextlib.contextmanager
def _users_of_server(folder: Path) -> Iterator[dict[str, object]]:
    with (folder / "postgresql.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or '{"users": 0}')
        yield state
        file.truncate(0)
        file.write(json.dumps(state))
        file.flush()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a history of its own can be made, on either database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.db'}"
        return
    yield from schema_of_its_own(request.getfixturevalue("postgresql"))


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


def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    """Waits until it holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)
