"""What was acknowledged is in the history, whoever else writes and whoever is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples_utils.history.store import open_history
from tests.examples_utils.history.runs import night
from tests.patience import HANG_S

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[4]
# Adds the nights from the first argument on, and prints each as soon as it has been acknowledged.
WRITER = """
import sys
from examples_utils.history.store import open_history
from tests.examples_utils.history.runs import night
with open_history(sys.argv[1]) as history:
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        history.add(night(number, variants=20))
        print(number, flush=True)
"""


def writer(url: str, first: int, end: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, url, str(first), str(end)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_what_writers_add_at_once_is_all_there(url):
    with open_history(url, create=True):
        pass
    writers = [writer(url, first, first + 5) for first in (0, 5, 10)]
    assert [process.wait(HANG_S) for process in writers] == [0, 0, 0]
    with open_history(url) as history:
        ids = [night(number).run_id for number in range(15)]
        assert history.load(ids) == [night(number, variants=20) for number in range(15)]


def test_writers_that_add_the_same_runs_at_once_add_them_once(url):
    with open_history(url, create=True):
        pass
    writers = [writer(url, 0, 5) for _ in range(3)]
    assert [process.wait(HANG_S) for process in writers] == [0, 0, 0]
    with open_history(url) as history:
        assert len(history.runs()) == 5
        assert history.load([night(4).run_id]) == [night(4, variants=20)]


def test_a_writer_that_is_killed_loses_nothing_that_was_acknowledged(url):
    with open_history(url, create=True):
        pass
    killed = writer(url, 0, 100_000)
    assert killed.stdout
    acknowledged = [int(killed.stdout.readline()) for _ in range(5)]
    killed.send_signal(signal.SIGKILL)
    acknowledged += map(int, killed.stdout.read().split())
    killed.wait(HANG_S)
    with open_history(url) as history:
        there = {summary.run_id for summary in history.runs()}
        assert there >= {night(number).run_id for number in acknowledged}
        # The one that it was at may have been finished; each that is there is whole.
        assert len(there) - len(acknowledged) in (0, 1)
        whole = {night(number).run_id: night(number, variants=20) for number in range(len(there))}
        assert history.load(sorted(there)) == [whole[run_id] for run_id in sorted(there)]
        assert history.add(night(100_000))


def test_a_reader_is_not_kept_waiting_by_a_writer_and_sees_no_half_of_a_run(url):
    from examples_utils.history.database import tables
    from examples_utils.history.database.connection import database_url, open_engine, writing

    with open_history(url, create=True) as history:
        history.add(night(1))
        with writing(open_engine(database_url(url), create=False)) as connection:
            connection.execute(tables.figures.delete())
            assert history.load([night(1).run_id]) == [night(1)]
            connection.rollback()
