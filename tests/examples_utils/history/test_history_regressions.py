"""Reported regressions are stored per machine, on both databases, and outlive an upgrade and the removal of runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from examples_utils.history.database.connection import database_url, open_engine, writing
from examples_utils.history.fingerprint import machine_key
from examples_utils.history.regressions import Acceptance, ReportedRegression, known_of
from examples_utils.history.store import History, open_history
from examples_utils.run_model import MetricKey
from tests.examples_utils.history.runs import MACHINE, night

MACHINE_KEY = machine_key(MACHINE)
KEY = MetricKey("benchmarks.yml", "b0", "b0_n_1", "latency")
OPEN = ReportedRegression(KEY, known_of(night(3)), known_of(night(2)), 1.06, 1.05, 1.07, night(3).started_utc)
STOPPED = ReportedRegression(
    MetricKey("s\0", "\ud800", "v", "m\\u0000"),
    replace(known_of(night(4)), branch="\ud800", commit=None),
    acceptance=Acceptance("Ada (ada@vm)", night(5).started_utc, "intended: ä \0 '--"),
)


def keep(*regressions: ReportedRegression):
    return lambda _: regressions


def test_regressions_are_read_as_they_were_stored(history: History):
    assert history.regressions(MACHINE_KEY) == []
    assert history.update_regressions(MACHINE_KEY, keep(OPEN, STOPPED)) == [OPEN, STOPPED]
    assert history.regressions(MACHINE_KEY) == [OPEN, STOPPED]


def test_an_update_keeps_the_order_and_the_others(history: History):
    again = replace(OPEN, first_after=known_of(night(5)))
    history.update_regressions(MACHINE_KEY, keep(OPEN, again, STOPPED))
    closed = replace(again, gone_utc=night(6).started_utc)
    history.update_regressions(
        MACHINE_KEY, lambda stored: [closed if one == again else one for one in stored]
    )
    assert history.regressions(MACHINE_KEY) == [OPEN, closed, STOPPED]


def test_each_machine_has_its_own_regressions(history: History):
    history.update_regressions(MACHINE_KEY, keep(OPEN))
    history.update_regressions("another", keep(STOPPED))
    history.update_regressions(MACHINE_KEY, keep())
    assert (history.regressions(MACHINE_KEY), history.regressions("another")) == ([], [STOPPED])


def test_an_update_that_fails_changes_nothing(history: History):
    history.update_regressions(MACHINE_KEY, keep(OPEN))

    def fail(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        history.update_regressions(MACHINE_KEY, fail)
    assert history.regressions(MACHINE_KEY) == [OPEN]


def test_they_outlive_the_runs_that_they_began_with(history: History):
    for number in range(5):
        history.add(night(number))
    history.update_regressions(MACHINE_KEY, keep(OPEN))
    history.prune(keep_runs=1)
    assert history.regressions(MACHINE_KEY) == [OPEN]


def test_a_write_probe_leaves_no_regression(history: History):
    history.refuse_unwritable()
    assert history.regressions(MACHINE_KEY) == []
    history.add(night(1))


def test_a_history_of_the_first_version_gets_the_table_and_keeps_its_runs(url: str):
    with open_history(url, create=True) as history:
        history.add(night(1))
    engine = open_engine(database_url(url), create=False)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE regressions"))
        connection.execute(text("DROP TABLE known_machines"))
        connection.execute(text("UPDATE history_version SET version_num = '0001'"))
    with open_history(url) as history:
        assert history.update_regressions(MACHINE_KEY, keep(OPEN)) == [OPEN]
        assert history.load([night(1).run_id]) == [night(1)]
