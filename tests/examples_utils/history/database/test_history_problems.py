"""A problem of a history is reported in a line with its remedy, and nothing is changed or lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from examples_utils.history.database.connection import _WRITERS_LOCK, reading
from examples_utils.history.database.tables import metadata
from examples_utils.history.location import add_command
from examples_utils.history.problems import UnreachableError
from examples_utils.history.store import History, HistoryError, open_history
from tests.examples_utils.history.runs import night
from tests.patience import HANG_S
from tests.ports import free_port
from tests.postgresql_server import running_server

ROOT = Path(__file__).parents[4]


def refused(url: str, create: bool = False) -> str:
    with pytest.raises(HistoryError) as caught, open_history(url, create=create):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A history of one night."""
    made = tmp_path / "history.db"
    with open_history(str(made), create=True) as history:
        history.add(night(1))
    return made


def test_a_history_that_is_not_there_is_not_made_by_reading_it(tmp_path):
    missing = tmp_path / "history.db"
    assert f"{missing}: no such history; create one with: history add LOG_DIR" in refused(str(missing))
    assert not missing.exists()


def test_an_empty_database_is_not_read_as_a_history(postgresql_url, tmp_path):
    assert "contains no history; begin one with: history add" in refused(postgresql_url)
    (tmp_path / "empty.db").touch()
    assert "contains no history; begin one with: history add" in refused(str(tmp_path / "empty.db"))


@pytest.mark.parametrize(
    "content", [b"{}" * 4096, b"SQLite format 3\0" + b"x" * 8176], ids=["text", "damaged"]
)
def test_what_is_no_database_is_refused_and_left_alone(tmp_path, content):
    file = tmp_path / "results.json"
    file.write_bytes(content)
    assert "results.json: is not a history: not a database of SQLite; name another file" in refused(
        str(file), create=True
    )
    assert file.read_bytes() == content


def test_a_history_that_was_cut_off_is_refused(file):
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "history.db: is damaged; restore a copy" in refused(str(file))


def test_a_folder_and_a_missing_folder_are_refused(tmp_path):
    assert "is not a file; name one, such as history.db" in refused(str(tmp_path), create=True)
    assert "its folder does not exist" in refused(str(tmp_path / "no/history.db"), create=True)


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("mysql://host/db", "mysql://host/db: a history is kept in SQLite or PostgreSQL"),
        ("sqlite://", "names no file; name one, such as sqlite:///history.db"),
        ("postgresql://host:port/db", "is not the URL of a database"),
        ("sqlite://srv/history.db", "three slashes precede a relative path (sqlite:///srv/history.db)"),
        ("sqlite://:7/history.db", "four an absolute one (sqlite:////history.db)"),
        (
            "sqlite:///history.db?timeout=5s",
            "sqlite:///history.db?timeout=5s: one of its options is wrong (could",
        ),
        ("sqlite:///history.db?timeout=1&timeout=2", "one of its options is wrong"),
        (
            "sqlite:///history.db?cached_statements=99999999999999999999",
            "expected such as sqlite:///FILE?timeout=5 (seconds)",
        ),
        ("", "the history's URL is empty"),
    ],
)
def test_a_url_that_is_none_of_a_history_is_refused(url, reported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert reported in refused(url, create=True)


def test_a_locked_history_is_told_after_the_time_that_the_url_allows(file):
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with open_history(f"sqlite:///{file}?timeout=0.05") as history:
            assert history.load([night(1).run_id]) == [night(1)]
            with pytest.raises(UnreachableError, match="another process kept it locked for too long"):
                history.add(night(2))
        other.execute("ROLLBACK")
    with open_history(str(file)) as history:
        assert history.add(night(2))


def test_a_writer_that_keeps_a_server_s_history_is_told_after_the_time_that_the_url_allows(postgresql_url):
    with open_history(postgresql_url, create=True) as history:
        history.add(night(1))
    with psycopg.connect(postgresql_url.partition("?")[0]) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
        with open_history(f"{postgresql_url}%20-clock_timeout%3D50ms") as history:
            assert history.load([night(1).run_id]) == [night(1)]
            with pytest.raises(UnreachableError, match="another process kept it locked for too long"):
                history.add(night(2))


@pytest.mark.processes
def test_benchmarks_are_run_though_the_history_is_locked(file, workplace):
    workplace.spec("a: {cmd: echo hi}\n")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        done = workplace.benchmark("--history", f"sqlite:///{file}?timeout=0.05")
    assert done.exitcode == 0
    assert "kept it locked for too long" in done.out + done.err
    assert "running the benchmarks anyway" in done.out + done.err
    assert "no result is lost: add them with: " in done.out + done.err


@pytest.fixture
def role(postgresql_url: str) -> Iterator[Callable[[str], str]]:
    """`role(rights)`: the URL of a history for a user who may read it and has these rights on its tables."""
    server, _, schema = postgresql_url.partition("?options=-csearch_path%3D")
    name = f"user_{uuid.uuid4().hex}"
    with open_history(postgresql_url, create=True), psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN")

        def with_rights(rights: str) -> str:
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
            connection.execute(f"GRANT SELECT {rights} ON ALL TABLES IN SCHEMA {schema} TO {name}")
            connection.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {name}")
            return postgresql_url.replace("tester@", f"{name}@")

        yield with_rights
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


def test_benchmarks_are_not_run_for_a_user_who_may_not_write(role, workplace):
    workplace.spec("a: {cmd: echo hi}\n")
    done = workplace.benchmark("--history", role(""))
    assert done.exitcode == 2
    assert "this user may not write there; grant it the rights" in done.err
    assert not workplace.log.exists()


def test_a_right_that_is_missing_on_one_table_is_noticed(role, workplace, postgresql_url):
    workplace.spec("a: {cmd: echo hi}\n")
    url = role(", INSERT")
    assert workplace.benchmark("--history", url).exitcode == 0
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(f"REVOKE INSERT ON figures FROM {url.partition('//')[2].partition('@')[0]}")
    with open_history(url) as history, pytest.raises(HistoryError, match="figures"):
        history.refuse_unwritable()


def test_to_try_whether_a_history_can_be_written_leaves_nothing_in_it(url):
    def rows(history: History) -> dict[str, int]:
        with reading(history._engine) as connection:
            return {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }

    with open_history(url, create=True) as history:
        history.add(night(1))
        before = rows(history)
        history.refuse_unwritable()
        assert rows(history) == before
        assert history.add(night(2))


def without_rights(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Runs it as somebody for whom read-only files are read-only, which they are not for root."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*drop, sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=HANG_S
    )


ADD = (
    "import sys; from examples_utils.history.store import *; from tests.examples_utils.history.runs import night\n"
    "try:\n  with open_history(sys.argv[1], create=True) as history: history.add(night(2))\n"
    "except HistoryError as error:\n  print(error)"
)


@pytest.mark.processes
def test_a_read_only_history_can_be_read_but_not_be_added_to(file):
    before = file.read_bytes()
    file.chmod(0o444)
    done = without_rights("-c", ADD, str(file))
    assert (
        "history.db: is read-only; make it and its folder writable, or copy it to where you may write"
        in done.stdout
    )
    assert file.read_bytes() == before
    show = without_rights("-m", "examples_utils", "history", "show", "latest", "--history", str(file))
    assert (show.returncode, show.stderr) == (0, "")
    assert "b1::b1_n_1" in show.stdout


@pytest.mark.processes
def test_benchmarks_are_not_run_for_a_history_that_is_read_only(file, tmp_path):
    file.chmod(0o444)
    spec = tmp_path / "benchmarks.yml"
    spec.write_text("a: {cmd: echo hi}\n")
    arguments = ["--spec", str(spec), "--log-dir", str(tmp_path / "log"), "--history", str(file)]
    done = without_rights("-m", "examples_utils", "benchmark", *arguments)
    assert done.returncode == 2
    assert "history.db: is read-only; make it and its folder writable" in done.stderr
    assert not (tmp_path / "log").exists()


@pytest.mark.processes
def test_a_read_only_history_in_a_read_only_folder_can_be_read(file):
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        show = without_rights("-m", "examples_utils", "history", "list", "--history", str(file))
        assert (show.returncode, show.stderr) == (0, "")
        assert night(1).run_id in show.stdout
        done = without_rights("-c", ADD, str(file))
        assert "history.db: is read-only; make it and its folder writable" in done.stdout
    finally:
        file.parent.chmod(0o755)


@pytest.mark.slow
def test_a_history_cannot_be_made_in_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o555)
    try:
        done = without_rights("-c", ADD, str(tmp_path / "history.db"))
    finally:
        tmp_path.chmod(0o755)
    assert "history.db: cannot be created: its folder is read-only" in done.stdout


def test_a_server_that_is_down_is_told_without_its_password():
    url = f"postgresql://team:secret@127.0.0.1:{free_port()}/benchmarks"
    with (
        pytest.raises(UnreachableError, match="the server cannot be reached; start it") as caught,
        open_history(url),
    ):
        pass
    assert "team:***@127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_database_that_the_server_does_not_have_is_told(postgresql):
    assert "the server has no such database or user; create it with createdb" in refused(
        postgresql.replace("/postgres", "/benchmarks"), create=True
    )


def test_a_server_that_goes_down_between_two_adds_loses_neither(postgresql_programs):
    with running_server(postgresql_programs) as server, open_history(server.url, create=True) as history:
        history.add(night(1))
        server.stop()
        with pytest.raises(UnreachableError, match="the server cannot be reached"):
            history.add(night(2))
        server.start()
        # The connection that was lost is replaced.
        assert history.add(night(2))
        assert history.load([night(1).run_id, night(2).run_id]) == [night(1), night(2)]


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("postgresql://team:secret@db:543x/bench", "postgresql://team:***@db:543x/bench"),
        ("postgresql://team:secret@more@db:x/bench", "postgresql://team:***@db:x/bench"),
        ("postgresql://127.0.0.1:1/bench?user=team&password=secret", "password=***"),
        ("postgresql://127.0.0.1:1/bench?sslpassword=secret&user=team", "sslpassword=***"),
        ("mysql://team:secret@db/bench", "mysql://team:***@db/bench"),
        ("sqlite://team:secret@db/bench", "sqlite://team:***@db/bench: names a server, and SQLite has none"),
        ("sqlite://team:secret@db", "sqlite://team:***@db: names no file"),
    ],
)
def test_no_message_holds_a_password_wherever_the_url_has_it(url, reported):
    message = refused(url)
    assert reported in message
    assert "secret" not in message
    assert "secret" not in add_command(Path("logs"), url)
