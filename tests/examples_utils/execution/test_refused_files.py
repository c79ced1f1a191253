"""Files that the system refuses, or that are not what they should be: one variant fails, the others run."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from examples_utils.planning.folder_names import RUN_WIDE, safe_name
from tests.examples_utils.conftest import Workplace


def statuses(done) -> dict[str, str]:
    return {name: record["status"] for name, record in done.by_variant.items()}


@pytest.mark.parametrize("name", ["模型推理" * 40, "é" * 150, "\N{PILE OF POO}" * 90, "a" * 300])
def test_a_name_of_any_length_and_script_has_a_folder(workplace: Workplace, name: str) -> None:
    workplace.spec(f"{name}: {{cmd: 'echo {{x}}', parameters: {{x: [1, 2]}}}}\nlast: {{cmd: 'true'}}\n")
    done = workplace.benchmark()
    assert done.exitcode == 0
    assert statuses(done) == {f"{name}_x_1": "passed", f"{name}_x_2": "passed", "last": "passed"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run.json", "console.log", "benchmark_results.csv", "preparation", "canary",
                                  "records_apart", "report.html", "earlier_runs", "system-monitor.png"])  # fmt: skip
def test_a_benchmark_may_have_the_name_of_any_file_of_the_run(workplace: Workplace, name: str) -> None:
    workplace.spec(f"{name}: {{cmd: echo hi}}\nlast: {{cmd: 'true'}}\n")
    for _ in range(2):  # the second run moves the first aside
        done = workplace.benchmark()
        assert (done.exitcode, statuses(done)) == (0, {name: "passed", "last": "passed"})
    assert safe_name(name) not in [path.name for path in workplace.log.iterdir() if path.name == name]
    assert len(list(workplace.log.glob("earlier_runs/*/benchmark_results.json"))) == 1


def test_the_names_of_a_runs_own_files_are_taken() -> None:
    taken = [pattern.replace("*", "x") for pattern in RUN_WIDE]
    assert [safe_name(name) == name for name in taken] == [False] * len(taken)


@pytest.mark.slow
@pytest.mark.parametrize("obstacle", ["in the way", "wrong folder"])
def test_an_error_of_the_system_is_the_failure_of_one_variant(workplace: Workplace, obstacle: str) -> None:
    workplace.log.mkdir()
    if obstacle == "in the way":
        (workplace.log / "bad").write_text("a file of the user\n")
    if obstacle == "wrong folder":
        (workplace.log / "bad" / "stdout.log").mkdir(parents=True)
    workplace.spec("first: {cmd: 'true'}\nbad: {cmd: echo hi}\nlast: {cmd: 'true'}\n")
    done = workplace.benchmark("--history", "all.db")
    assert done.exitcode == 1
    assert statuses(done) == {"first": "passed", "bad": "failed", "last": "passed"}
    assert done.by_variant["bad"]["reason"]
    with sqlite3.connect("all.db") as history:
        assert history.execute("select count(*) from results").fetchone() == (3,)
    # The failure is kept as any other: it is not run again.
    resumed = workplace.command("benchmark", "--resume", str(workplace.log))
    assert (resumed.exitcode, statuses(resumed)) == (1, statuses(done))
    assert len(list(workplace.log.rglob("first/variant_result.json"))) == 1


def test_a_long_location_is_one_that_does_not_exist(workplace: Workplace) -> None:
    workplace.spec(f"a: {{cmd: pwd, location: {'l' * 300}}}\n")
    assert workplace.benchmark().exitcode == 0
    assert (workplace.log / "a/stdout.log").read_text() == f"{workplace.folder}\n"


def test_a_long_word_of_a_command_is_no_error(workplace: Workplace) -> None:
    workplace.script("prints.py", "import sys\nprint(len(sys.argv[1]))\n")
    workplace.spec(f"a: {{cmd: python3 {'w' * 300}.py}}\nb: {{cmd: python3 prints.py {'x' * 5000}}}\n")
    done = workplace.benchmark()
    assert statuses(done) == {"a": "failed", "b": "passed"}
    assert (workplace.log / "b/stdout.log").read_text() == "5000\n"


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["{}", '{"results": 5', "[" * 100_000, "", "\x00\xff"])
def test_a_record_that_a_command_damages_is_a_failure(workplace: Workplace, damage: str) -> None:
    workplace.script("damage.py", f"open('log/first/variant_result.json', 'w').write({damage!r})\n")
    workplace.spec("first: {cmd: echo 1}\nsecond: {cmd: python3 damage.py}\n")
    done = workplace.benchmark("--history", "all.db")
    assert done.exitcode == 1
    assert statuses(done) == {"first": "failed", "second": "passed"}
    assert "unreadable during the run" in done.by_variant["first"]["reason"]
    assert "first/variant_result.json" in done.out
    with sqlite3.connect("all.db") as history:
        assert history.execute("select count(*) from results").fetchone() == (2,)


@pytest.mark.slow
def test_a_log_folder_that_a_command_removes_is_made_again(workplace: Workplace) -> None:
    workplace.spec("first: {cmd: echo 1}\nsecond: {cmd: rm -r log}\nthird: {cmd: echo 3}\n")
    done = workplace.benchmark()
    assert done.exitcode == 1
    assert {name: statuses(done)[name] for name in ("first", "third")} == {
        "first": "failed",
        "third": "passed",
    }


def test_a_log_folder_that_takes_no_file_ends_the_run_with_a_message(workplace: Workplace) -> None:
    workplace.spec("first: {cmd: sh swap.sh}\nlast: {cmd: echo hi}\n")
    workplace.script("swap.sh", "rm -r log && touch log\n")
    done = workplace.benchmark()
    assert done.exitcode == 1
    assert "its record cannot be written" in done.out
    assert "benchmark_results.json: cannot be written" in done.out


def set_value(document: dict, steps: list, value: object) -> None:
    for step in steps[:-1]:
        document = document[step]
    document[steps[-1]] = value


WRONG = [None, -1, 10**400, "\x00\ud800", {"a": 1}, [["a"]]]


@pytest.mark.slow
def test_no_value_in_a_record_stops_collect_resume_or_a_new_run(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: 'true', parameters: {x: [1]}, output: [[l, x]]}\nb: {cmd: 'false'}\n")
    workplace.benchmark()
    record = json.loads((workplace.log / "a_x_1/variant_result.json").read_text())
    damaged = [{**record, key: value} for key in record for value in WRONG]
    for number, document in enumerate(damaged):
        folder = workplace.log / "damaged" / str(number)
        folder.mkdir(parents=True)
        (folder / "variant_result.json").write_text(json.dumps(document))
    for command in (["collect", str(workplace.log)], ["benchmark", "--resume", str(workplace.log)]):
        done = workplace.command(*command)
        assert done.exitcode == 1
        assert "this record is omitted" in done.out + done.err
        assert done.by_variant["b"]["status"] == "failed"
    assert workplace.benchmark().exitcode == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", [["options"], ["options", "repeat"], ["options", "selection"],
                                   ["options", "csv_metrics"], ["options", "command", "logging"],
                                   ["options", "selection", "specs"], ["variants"], ["variants", "b"],
                                   ["variants", "b", "output"], ["variants", "b", "benchmark_name"]])  # fmt: skip
def test_no_value_in_the_file_of_the_run_stops_collect_resume_or_a_new_run(workplace, place) -> None:
    workplace.spec("a: {cmd: 'true'}\nb: {cmd: 'true'}\n")
    workplace.benchmark()
    run_file = workplace.log / "run.json"
    run = run_file.read_text()
    for value in WRONG:
        document = json.loads(run)
        set_value(document, place, value)
        run_file.write_text(json.dumps(document))
        assert workplace.command("collect", str(workplace.log)).exitcode in (0, 1), value
        resumed = workplace.command("benchmark", "--resume", str(workplace.log))
        assert resumed.exitcode in (0, 1, 2), value
        assert statuses(resumed)["a"] == "passed"
    assert workplace.benchmark().exitcode == 0


def test_a_damaged_file_of_the_run_moves_nothing_from_elsewhere(workplace: Workplace) -> None:
    outside = workplace.folder / "outside" / "kept"
    outside.mkdir(parents=True)
    workplace.spec("a: {cmd: 'true'}\n")
    workplace.benchmark()
    names = [str(outside.parent), str(outside), "../outside", "x\x00y/z", "n" * 300 + "/n"]
    (workplace.log / "run.json").write_text(json.dumps({"variants": {name: {} for name in names}}))
    assert workplace.benchmark().exitcode == 0
    assert outside.is_dir()


@pytest.mark.parametrize("name", [".lock", "run.json", "earlier_runs", "a"])
def test_a_file_of_another_kind_in_the_log_folder_is_refused_or_fails_one_variant(
    workplace: Workplace, name: str
) -> None:
    workplace.spec("a: {cmd: 'true'}\nb: {cmd: 'true'}\n")
    workplace.benchmark()
    target = workplace.folder / "elsewhere"
    path = workplace.log / name
    (workplace.log / name).rename(workplace.folder / "before") if path.exists() else None
    path.symlink_to(target)
    done = workplace.benchmark()
    assert done.exitcode in (0, 1, 2)
    assert not (target.exists() and target.is_file())
    assert Path(workplace.log / "b/variant_result.json").exists()


@pytest.mark.parametrize("named", ["/dev/zero", "secret", "log/link", "log/fifo", "log/a"])
def test_the_report_quotes_only_files_of_the_log_folder(workplace: Workplace, named: str) -> None:
    (workplace.folder / "secret").write_text("the secret of another file\n")
    workplace.spec("a: {cmd: 'false'}\n")
    workplace.benchmark()
    (workplace.log / "link").symlink_to(workplace.folder / "secret")
    os.mkfifo(workplace.log / "fifo")
    file = workplace.log / "a/variant_result.json"
    record = json.loads(file.read_text())
    record["log_paths"]["err"] = str(workplace.folder / named)
    file.write_text(json.dumps(record))
    assert workplace.command("collect", str(workplace.log)).exitcode == 1
    report = (workplace.log / "benchmark_results.xml").read_text()
    assert "exited with code 1" in report
    assert "secret of" not in report


@pytest.mark.parametrize("log", ["console.log", "output.log", ".lock"])
def test_no_log_or_lock_is_opened_through_a_link(workplace: Workplace, log: str) -> None:
    target = workplace.folder / "target"
    target.write_text("mine\n")
    workplace.log.mkdir()
    (workplace.log / log).symlink_to(target)
    workplace.spec("a: {cmd: 'true'}\n")
    done = workplace.benchmark()
    assert done.exitcode == 2
    assert str(workplace.log) in done.err
    assert target.read_text() == "mine\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", [["list"], ["validate"], ["benchmark", "--dry-run"], ["benchmark"]])
def test_looking_for_a_required_module_runs_none_of_its_code(
    workplace: Workplace, command: list[str]
) -> None:
    for package in ("first_party", "on_path/second_party"):
        folder = workplace.folder / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("open('imported', 'w').close()\nraise SystemExit(0)\n")
    requires = "[first_party, first_party.b, second_party.b, second_party, __main__, '.b', sys]"
    workplace.spec(f"a: {{cmd: 'true', requires: {requires}}}\n")
    done = subprocess.run(
        [sys.executable, "-m", "examples_utils", *command],
        cwd=workplace.folder,
        env={**os.environ, "PYTHONPATH": str(workplace.folder / "on_path")},
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout
    assert not (workplace.folder / "imported").exists()
    if command[0] == "benchmark":
        assert "requires first_party " in done.stdout
        assert "requires second_party" not in done.stdout
        assert "requires sys" not in done.stdout
