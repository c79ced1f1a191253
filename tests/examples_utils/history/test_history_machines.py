"""Which runs are of the same machine: updates, names, joins, and what older versions of the history stored."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from sqlalchemy import text

from examples_utils.history.baseline import Tonight, read_baseline
from examples_utils.history.database import schema
from examples_utils.history.database.connection import database_url, open_engine, writing
from examples_utils.history.database.insertion import insert_run
from examples_utils.history.database.regressions import insert_regressions
from examples_utils.history.fingerprint import machine_key, same_machine
from examples_utils.history.store import History, open_history
from examples_utils.run_model import Run
from tests.examples_utils.conftest import Workplace
from tests.examples_utils.history.runs import night
from tests.examples_utils.history.test_history_regressions import OPEN

OLD = {
    "hostname": "lab", "cpu": "AMD EPYC", "cores": 2, "memory_bytes": 8 * 2**30 - 300_000, "accelerators": [],
    "architecture": "x86_64", "kernel": "6.1.0", "governor": None,
}  # fmt: skip
NEW = OLD | {
    "cpu_flags": ["avx2", "avx512_bf16"], "microcode": "0x1", "memory_installed_bytes": 8 * 2**30,
    "drivers": {},
}  # fmt: skip
OTHER = NEW | {"cores": 64, "hostname": "big"}


@pytest.fixture
def work(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.delenv("EXAMPLES_UTILS_HISTORY", raising=False)
    with open_history("history.db", create=True) as history:
        for number, machine in enumerate((OLD, OLD, NEW, OTHER), start=1):
            history.add(night(number, machine=machine))
    return workplace


def machines_of(work: Workplace) -> list[dict[str, object]]:
    return json.loads(work.command("history", "machines", "--format", "json").out)


def key_of_old() -> str:
    return machine_key(OLD)[:10]


def test_an_update_of_kernel_or_microcode_or_driver_leaves_the_machine_the_same():
    for update in ({"kernel": "6.8.0"}, {"microcode": "0x2"}, {"drivers": {"nvidia": "550.54"}}):
        assert machine_key(NEW | update) == machine_key(NEW)


def test_a_kernel_that_keeps_more_memory_for_itself_leaves_the_machine_the_same():
    assert machine_key(NEW | {"memory_bytes": NEW["memory_bytes"] - 2**25}) == machine_key(NEW)
    assert machine_key(OLD | {"memory_bytes": OLD["memory_bytes"] - 2**25}) == machine_key(OLD)


@pytest.mark.parametrize(
    "change",
    [
        {"cpu_flags": ["avx2"]}, {"cpu_quota": 1.5}, {"cores": 1}, {"memory_limit_bytes": 2**30},
        {"memory_installed_bytes": 2**34}, {"accelerator_power_limits_w": [300.0]}, {"governor": "powersave"},
    ],
)  # fmt: skip
def test_other_hardware_or_limits_are_another_machine(change: dict[str, object]):
    assert machine_key(NEW | change) != machine_key(NEW)


def test_machines_are_listed_with_their_runs(work: Workplace):
    listed = machines_of(work)
    assert [(one["hostnames"], one["runs"]) for one in listed] == [(["big"], 1), (["lab"], 1), (["lab"], 2)]
    table = work.command("history", "machines").out.splitlines()
    assert len(table) == 2 + 3
    assert "8.0 GiB" in table[-1]


def test_a_name_is_shown_in_the_lists_of_machines_and_runs(work: Workplace):
    named = work.command("history", "machines", "big", "--name", "lab-7")
    assert named.exitcode == 0
    assert "lab-7" in named.out
    runs = work.command("history", "list").out
    assert runs.count("lab-7") == 1
    assert "big" not in runs
    work.command("history", "machines", "lab-7", "--name", "")
    assert "lab-7" not in work.command("history", "list").out


def test_a_change_lists_the_machine_by_its_new_name(work: Workplace):
    work.command("history", "machines", "big", "--name", "lab-7")
    renamed = work.command("history", "machines", "lab-7", "--name", " lab\n8 ")
    assert renamed.exitcode == 0
    assert "lab 8" in renamed.out
    joined = work.command("history", "machines", "lab 8", key_of_old(), "--join")
    assert joined.exitcode == 0
    assert len(joined.out.splitlines()) == 2 + 1
    separated = work.command("history", "machines", "lab 8", "--separate")
    assert len(separated.out.splitlines()) == 2 + 2


def test_joined_machines_are_one_and_separating_them_undoes_it(work: Workplace):
    work.command("history", "machines", key_of_old(), machine_key(NEW), "--join")
    joined = next(one for one in machines_of(work) if one["runs"] == 3)
    assert joined["keys"] == [machine_key(NEW), machine_key(OLD)]
    assert joined["key"] == machine_key(NEW)
    work.command("history", "machines", key_of_old(), "--separate")
    assert [one["runs"] for one in machines_of(work)] == [1, 1, 2]


def test_joins_of_joined_machines_join_all_and_keep_the_name(work: Workplace):
    work.command("history", "machines", key_of_old(), "--name", "lab-7")
    work.command("history", "machines", key_of_old(), machine_key(NEW), "--join")
    work.command("history", "machines", "lab-7", "big", "--join")
    (one,) = machines_of(work)
    assert (one["name"], one["runs"], one["hostnames"]) == ("lab-7", 4, ["big", "lab"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lab", "--name", "x"], "lab: 2 machines match ("),
        (["nowhere"], "nowhere: the history has no such machine"),
        (["--name", "x"], "--name: takes one machine, and 0 are named"),
        (["big", "--join"], "--join: takes two or more different machines, and 1 is named"),
        (["big", "big", "--join"], "--join: takes two or more different machines, and 1 is named"),
        (["--separate"], "--separate: takes one machine, and 0 are named"),
    ],
)
def test_what_cannot_be_meant_is_refused(work: Workplace, arguments: list[str], message: str):
    done = work.command("history", "machines", *arguments)
    assert done.exitcode == 2
    assert message in done.err


def test_a_name_belongs_to_one_machine(work: Workplace):
    work.command("history", "machines", "big", "--name", "lab-7")
    done = work.command("history", "machines", key_of_old(), "--name", "lab-7")
    assert done.exitcode == 2
    assert "--name lab-7: is the name of another machine" in done.err


def test_compare_joins_what_the_history_joins(work: Workplace):
    apart = work.command("compare", night(1).run_id, night(3).run_id)
    assert apart.exitcode == 3
    assert "cpu_flags unknown in the base" in apart.out
    assert "avx2" not in apart.out
    work.command("history", "machines", key_of_old(), machine_key(NEW), "--join")
    assert "not comparable" not in work.command("compare", night(1).run_id, night(3).run_id).out


def test_a_run_that_is_not_in_the_history_is_of_a_joined_machine_too(history: History):
    for number, machine in enumerate((OLD, NEW), start=1):
        history.add(night(number, machine=machine))
    history.join_machines([machine_key(OLD), machine_key(NEW)])
    tonight = night(9, machine=NEW)
    assert all(same_machine(run, tonight) for run in history.load([night(1).run_id, night(2).run_id]))
    assert len(history.runs(machine_key=machine_key(NEW))) == 2
    wanted = Tonight(machine_key(NEW), frozenset({"benchmarks.yml"}), "main", False, 2, NEW)
    assert len(read_baseline(history, wanted, 5).runs) == 2


def test_joining_and_naming_leaves_runs_as_they_were(history: History):
    history.add(night(1))
    history.name_machine(machine_key(night(1).machine), "lab-7")
    assert history.load([night(1).run_id]) == [night(1)]
    assert not history.add(night(1))


def test_the_baseline_points_to_the_join_where_only_unknown_facts_differ(history: History):
    history.add(night(1, machine=OLD))
    history.add(night(2, machine=OTHER))
    wanted = Tonight(machine_key(NEW), frozenset({"benchmarks.yml"}), "main", False, 2, NEW)
    other, old = read_baseline(history, wanted, 5).left_out
    assert "join" not in other
    assert "cpu_flags unknown there; " in old
    assert old.endswith("; if it is this one, join both with history machines)")


def test_pruning_keeps_the_newest_runs_of_joined_machines_together(history: History):
    for number, machine in enumerate((OLD, NEW), start=1):
        history.add(night(number, machine=machine))
    history.join_machines([machine_key(OLD), machine_key(NEW)])
    assert [run.run_id for run in history.prune(keep_runs=1)] == [night(1).run_id]


def older_history(url: str, *runs: Run) -> None:
    """A history as it was before machines had names."""
    engine = open_engine(database_url(url), create=True)
    with writing(engine) as connection:
        schema.migrate(connection, "0002")
        for number, run in enumerate(runs):
            insert_run(connection, run, datetime.now(timezone.utc))
            old_key = f"UPDATE runs SET machine_key = 'old {number}' WHERE run_id = '{run.run_id}'"
            connection.execute(text(old_key))
        insert_regressions(connection, "old 1", [OPEN])
    engine.dispose()


def test_runs_of_an_older_history_get_the_key_that_ignores_the_kernel(url: str):
    odd = {"cpu": 'a\\b "c" \x00 ü', "memory_bytes": "much", "hostname": "h"}
    updated = OLD | {"kernel": "6.8.0", "memory_bytes": OLD["memory_bytes"] - 2**24}
    older_history(
        url, night(1, machine=OLD), night(2, machine=updated), night(3, machine=odd), night(4, machine={})
    )
    with open_history(url) as history:
        keys = {run.run_id: run.machine_key for run in history.runs()}
        assert keys == {
            night(number).run_id: machine_key(machine)
            for number, machine in ((1, OLD), (2, updated), (3, odd), (4, {}))
        }
        assert [machine.runs for machine in history.machines()] == [1, 1, 2]
        assert history.regressions(machine_key(OLD)) == [OPEN]
        assert history.regressions(machine_key(odd)) == []


def test_joined_machines_share_their_open_regressions(history: History):
    for number, machine in enumerate((OLD, NEW), start=1):
        history.add(night(number, machine=machine))
    history.update_regressions(machine_key(OLD), lambda _: [OPEN])
    assert history.regressions(machine_key(NEW)) == []
    history.join_machines([machine_key(OLD), machine_key(NEW)])
    assert history.regressions(machine_key(NEW)) == [OPEN]
    assert history.update_regressions(machine_key(NEW), lambda before: before) == [OPEN]
