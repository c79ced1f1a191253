"""A history has a version: an older one is migrated, a newer one refused, whoever else opens it at that moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from examples_utils.history.database import schema
from examples_utils.history.database.connection import database_url, open_engine, reading, writing
from examples_utils.history.database.tables import SCHEMA_VERSION, VERSION_TABLE, metadata
from examples_utils.history.store import HistoryError, open_history
from tests.examples_utils.history.runs import night
from tests.patience import HANG_S

ROOT = Path(__file__).parents[4]
# A version to come, as a program that knows it would bring it.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "0003", None, None


def upgrade():
    op.add_column("runs", sa.Column("note", sa.Text))
    op.execute("UPDATE runs SET note = 'migrated'")
    {last}
"""


@pytest.fixture
def next_version(tmp_path: Path):
    """`next_version(last line)`: the folder of migrations with one more."""

    def make(last: str = "pass") -> Path:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions/9999_note.py").write_text(NEXT.format(last=last))
        return folder

    return make


def engine_of(url: str):
    return open_engine(database_url(url), create=False)


@pytest.mark.slow
def test_the_migrations_make_the_tables_that_the_program_uses(url):
    with open_history(url, create=True):
        pass
    with reading(engine_of(url)) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_program_knows_the_newest_migration():
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_heads() == [SCHEMA_VERSION]


def test_an_older_history_is_migrated_and_keeps_its_runs(url, next_version, monkeypatch):
    with open_history(url, create=True) as history:
        history.add(night(1))
    monkeypatch.setattr(schema, "MIGRATIONS", next_version())
    monkeypatch.setattr(schema, "SCHEMA_VERSION", "9999")
    with open_history(url) as history:
        assert history.load([night(1).run_id]) == [night(1)]
        assert history.add(night(2))
    with reading(engine_of(url)) as connection:
        notes = connection.execute(text("SELECT note FROM runs ORDER BY run_id")).scalars().all()
        assert notes == ["migrated", None]


@pytest.mark.processes
def test_a_migration_that_is_killed_leaves_the_older_history_whole(url, next_version):
    with open_history(url, create=True) as history:
        history.add(night(1))
    folder = next_version("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert opened_by_next_version(url, folder).wait(HANG_S) == -9
    with open_history(url) as history:
        assert history.load([night(1).run_id]) == [night(1)]
    with reading(engine_of(url)) as connection:
        (row,) = connection.execute(text("SELECT * FROM runs")).all()
        assert "note" not in row._asdict()


@pytest.mark.processes
def test_processes_that_open_an_older_history_at_once_migrate_it_once(url, next_version):
    with open_history(url, create=True) as history:
        history.add(night(1))
    folder = next_version()
    processes = [opened_by_next_version(url, folder) for _ in range(3)]
    assert [process.wait(HANG_S) for process in processes] == [0, 0, 0]
    with reading(engine_of(url)) as connection:
        assert connection.execute(text("SELECT note FROM runs")).scalars().all() == ["migrated"]


def opened_by_next_version(url: str, migrations: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; from examples_utils.history import store\n"
        "from examples_utils.history.database import schema\n"
        "schema.MIGRATIONS, schema.SCHEMA_VERSION = Path(sys.argv[2]), '9999'\n"
        "with store.open_history(sys.argv[1]) as history: assert len(history.runs()) == 1"
    )
    return subprocess.Popen([sys.executable, "-c", code, url, str(migrations)], cwd=ROOT)


@pytest.mark.processes
def test_processes_that_make_a_history_at_once_make_one(url):
    code = "import sys; from examples_utils.history.store import *\nwith open_history(sys.argv[1], create=True): pass"
    processes = [subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT) for _ in range(3)]
    assert [process.wait(HANG_S) for process in processes] == [0, 0, 0]
    with open_history(url) as history:
        assert history.runs() == []


def test_a_history_of_a_newer_version_is_refused_and_left_alone(url):
    with open_history(url, create=True) as history:
        history.add(night(1))
    with writing(engine_of(url)) as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0007'"))
    with (
        pytest.raises(HistoryError, match=r"newer version .*\(0007; .*up to 0003\): update examples-utils"),
        open_history(url, create=True),
    ):
        pass
    with reading(engine_of(url)) as connection:
        assert connection.execute(text("SELECT count(*) FROM figures")).scalar() == len(night(1).metrics)


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "places.sqlite"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE bookmarks (title)")
    with (
        pytest.raises(
            HistoryError, match=r"places.sqlite: is not a history: it contains other tables \(bookmarks\)"
        ),
        open_history(str(file), create=True),
    ):
        pass
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_server_s_database_may_hold_tables_of_others_but_none_of_the_same_name(postgresql_url):
    with engine_of(postgresql_url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE bookmarks (title text)")
    with open_history(postgresql_url, create=True) as history:
        assert history.add(night(1))


def test_a_server_s_database_in_which_a_name_is_taken_is_refused(postgresql_url):
    with engine_of(postgresql_url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (id integer)")
    with (
        pytest.raises(HistoryError, match=r"contains other tables \(runs\)"),
        open_history(postgresql_url, create=True),
    ):
        pass


@pytest.mark.processes
def test_the_migrations_are_in_the_distribution(tmp_path):
    build = [
        sys.executable,
        "-c",
        "import setuptools; setuptools.setup()",
        "-q",
        "build_py",
        "--build-lib",
        tmp_path,
    ]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    add = [sys.executable, "-m", "examples_utils", "history", "add", ".", "--history", "history.db"]
    (tmp_path / "variant_result.json").write_text("{}")
    subprocess.run(add, cwd=tmp_path, env=environment, capture_output=True)
    with open_history(str(tmp_path / "history.db")) as history:
        assert history.runs() == []
