"""A PostgreSQL server of our own, started from Debian's programs in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

# Nobody keeps anything in it, so nothing waits for a disk. A server's own default may be just as careless.
_WITHOUT_DISK = "-c fsync=off -c synchronous_commit=off"


def installed_programs() -> Path | None:
    """The folder of PostgreSQL's programs, or None. Debian does not put them on the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: float(file.parts[4]))
    return versions[-1].parent if versions else None


@dataclass(frozen=True)
class Server:
    """A server that runs, on a port that was free. `programs` are what it was started with."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        """Its one database."""
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def stop(self) -> None:
        """Ends it at once; what it held can be started again."""
        self._control("-m", "immediate", "stop")

    def start(self, settings: str = _WITHOUT_DISK) -> None:
        """Starts it, on its port. Raises CalledProcessError if the port is taken."""
        listening = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._control("-l", self.folder / "log", "-o", f"{listening} {settings}", "start")

    def remove(self) -> None:
        """Stops it and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder)

    def _control(self, *words: Any) -> None:
        command = [self.programs / "pg_ctl", "-D", self.folder / "data", "-w", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **_ordinary_user())


def start_server(programs: Path, settings: str = _WITHOUT_DISK) -> Server:
    """A new, empty server. Raises CalledProcessError if it cannot be started."""
    folder = Path(tempfile.mkdtemp(prefix="history-postgresql-"))
    user = _ordinary_user()
    if user:
        os.chown(folder, user["user"], user["group"])
    initdb = [
        str(programs / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        "tester",
        "-A",
        "trust",
        "-E",
        "UTF8",
    ]
    quickly = ["--locale=C", "--no-sync", "--no-instructions"]
    subprocess.run([*initdb, *quickly], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
    for _ in range(4):  # another process may take the port first
        server = Server(programs, folder, free_port())
        with contextlib.suppress(subprocess.CalledProcessError):
            server.start(settings)
            return server
    server.start(settings)
    return server


@contextlib.contextmanager
def running_server(programs: Path, settings: str = _WITHOUT_DISK) -> Iterator[Server]:
    """A new server that is gone in the end."""
    server = start_server(programs, settings)
    try:
        yield server
    finally:
        server.remove()


def _ordinary_user() -> dict[str, Any]:
    """How to start a process that is not root's: PostgreSQL refuses to be run by root."""
    if os.geteuid():
        return {}
    known = {user.pw_name: user for user in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
