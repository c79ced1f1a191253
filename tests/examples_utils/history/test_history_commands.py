"""The command line of the history: what it prints, what it leaves, and how it exits."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from examples_utils.history.store import open_history
from examples_utils.run_model import Run
from tests.examples_utils.conftest import Done, Workplace
from tests.examples_utils.history.runs import MACHINE, night
from tests.ports import free_port

SAMPLES = Path(__file__).parents[2] / "benchmark_parsers/samples"
SPEC = """
a:
  parameters: {n: '1,2'}
  cmd: echo throughput {n}00 samples/sec
  data: {throughput: {regexp: 'throughput (.*?) samples/sec'}}
"""


@pytest.fixture
def work(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.delenv("EXAMPLES_UTILS_HISTORY", raising=False)
    workplace.spec(SPEC)
    return workplace


def stored(url: str = "history.db") -> list[Run]:
    with open_history(url) as history:
        return history.load([summary.run_id for summary in history.runs()])


def fill(*runs: Run) -> None:
    with open_history("history.db", create=True) as history:
        for run in runs:
            history.add(run)


@pytest.mark.slow
def test_a_run_is_added_once_and_completed_when_it_was_resumed(work: Workplace):
    work.benchmark()
    record = work.log / "a_n_2/variant_result.json"
    later = record.rename(work.folder / "later.json")
    reported = [work.command("history", "add", str(work.log)).out]
    later.rename(record)
    reported += [work.command("history", "add", str(work.log)).out for _ in range(2)]
    run_id = reported[0].split(":")[0]
    assert [line.split(":")[:2] for line in reported] == [
        [run_id, " added"], [run_id, " completed"], [run_id, " already complete"],
    ]  # fmt: skip
    (run,) = stored()
    assert sorted(figure.values for figure in run.metrics.values()) == [(100,), (200,)]


@pytest.mark.slow
def test_what_can_be_read_is_added_and_the_rest_is_told(work: Workplace):
    work.benchmark()
    (work.folder / "empty.json").touch()
    done = work.command("history", "add", "empty.json", str(work.log), "nowhere")
    assert done.exitcode == 2
    assert "empty.json:/: error: is empty" in done.err
    assert "nowhere:/: error: cannot be read" in done.err
    assert len(stored()) == 1


@pytest.mark.slow
def test_a_record_that_was_left_out_is_told_and_gives_1(work: Workplace):
    work.benchmark()
    (work.log / "a_n_1/variant_result.json").write_text("{")
    done = work.command("history", "add", str(work.log))
    assert done.exitcode == 1
    assert "warning: " in done.err
    assert len(stored()) == 1


@pytest.mark.slow
def test_the_environment_names_the_history_and_the_option_overrules_it(work: Workplace, monkeypatch):
    monkeypatch.setenv("EXAMPLES_UTILS_HISTORY", "team.db")
    work.benchmark()
    work.command("history", "add", str(work.log))
    work.command("history", "add", str(work.log), "--history", "mine.db")
    assert (len(stored("team.db")), len(stored("mine.db"))) == (1, 1)
    assert not Path("history.db").exists()


@pytest.mark.slow
def test_a_benchmark_adds_its_run_in_the_end(work: Workplace, url):
    done = work.benchmark("--history", url)
    assert done.exitcode == 0
    assert ": added: 2 variants, 2 metrics (2 values)" in done.out
    assert len(stored(url)) == 1


@pytest.mark.slow
def test_history_without_a_url_is_the_default_one(work: Workplace):
    work.benchmark("--history")
    assert len(stored()) == 1
    work.benchmark()
    assert len(stored()) == 1


@pytest.mark.slow
def test_a_resumed_run_completes_what_the_history_has_of_it(work: Workplace):
    work.benchmark("--history")
    (work.log / "a_n_2/variant_result.json").unlink()
    with open_history("history.db") as history:
        history.prune(keep_runs=0)
    work.command("history", "add", str(work.log))
    assert [len(run.metrics) for run in stored()] == [1]
    done = work.command("benchmark", "--resume", str(work.log), "--history")
    assert done.exitcode == 0
    assert ": completed: 2 variants" in done.out
    assert [len(run.metrics) for run in stored()] == [2]


@pytest.mark.parametrize("made", ["{}" * 999, None], ids=["no database", "a folder"])
def test_a_history_that_cannot_be_used_is_refused_before_anything_runs(work: Workplace, made):
    file = work.folder / "history.db"
    if made:
        file.write_text(made)
    else:
        file.mkdir()
    done = work.benchmark("--history")
    assert done.exitcode == 2
    assert not work.log.exists()


@pytest.mark.parametrize("url", ["sqlite://srv/history.db", "sqlite:///history.db?timeout=5s"])
def test_a_url_that_is_wrong_is_refused_by_every_command(work: Workplace, url):
    (work.folder / "history.db").touch()
    for command in (["history", "list"], ["benchmark", "--log-dir", str(work.log)], ["import", "spec.yml"]):
        done = work.command(*command, "--history", url)
        assert done.exitcode == 2
        assert f"error: {url}: " in done.err
    assert not work.log.exists()


@pytest.mark.slow
def test_with_a_server_that_is_down_the_benchmarks_run_and_nothing_is_lost(work: Workplace):
    url = f"postgresql://team:secret@127.0.0.1:{free_port()}/benchmarks"
    done = work.benchmark("--history", url)
    assert done.exitcode == 0
    assert "running the benchmarks anyway" in done.err + done.out
    shown = url.replace("secret", "***")
    command = f"python3 -m examples_utils history add {work.log} --history '{shown}'"
    assert f"no result is lost: add them with: {command}" in done.err + done.out
    assert "secret" not in done.err + done.out + (work.log / "output.log").read_text()
    assert work.command("history", "add", str(work.log)).exitcode == 0
    assert len(stored()) == 1


def test_the_list_shows_the_newest_runs_first(work: Workplace):
    fill(*(night(number, branch="topic" if number == 2 else "main") for number in range(4)))
    rows = work.command("history", "list", "--limit", "2").out.splitlines()[2:]
    assert [row.split("|")[1].strip() for row in rows] == [night(3).run_id, night(2).run_id]
    listed = json.loads(work.command("history", "list", "--branch", "main", "--format", "json").out)
    assert [run["run_id"] for run in listed] == [night(n).run_id for n in (3, 1, 0)]
    assert len(json.loads(work.command("history", "list", "--limit", "0", "--format", "json").out)) == 4


def test_a_run_is_shown_with_figures_failures_and_logs(work: Workplace):
    run = night(1, dirty=True)
    first, second = run.variants
    failed = {second: replace(run.variants[second], status="failed", reason="exited with code 3")}
    figures = {key: figure for key, figure in run.metrics.items() if key.of_variant == first}
    fill(replace(run, variants=run.variants | failed, metrics=figures))
    done = work.command("history", "show", "latest", "--logs")
    assert (
        "| b0::b0_n_1 | passed | throughput |  101.1 | samples/sec | 101 … 101.2 |           3 |" in done.out
    )
    assert "b1::b1_n_1: failed: exited with code 3" in done.out
    assert "canary    compute 505.000 ms (2 times), memory 200.000 ms (1 times)" in done.out
    assert "main (with changed files)" in done.out
    assert "--- b0::b0_n_1 ---\nend" in done.out
    only = work.command("history", "show", run.run_id[:10], "--metric", "latency", "--format", "json")
    shown = json.loads(only.out)
    assert set(shown["variants"][0]["figures"]) == {"latency"}
    assert shown["machine"] == MACHINE


def test_a_renamed_benchmark_has_its_history_under_both_names_and_show_says_so(work: Workplace):
    before, after = night(1, variants=3), night(2, variants=3)

    def renamed(key: Any) -> Any:
        return key._replace(benchmark="new_name", variant="new_name_n_1") if key.benchmark == "b1" else key

    variants = {renamed(key): facts for key, facts in after.variants.items() if key.benchmark != "b2"}
    figures = {renamed(key): figure for key, figure in after.metrics.items() if key.benchmark != "b2"}
    fill(before, replace(after, variants=variants, metrics=figures))
    done = work.command("history", "show", "latest")
    assert f"since run {before.run_id}:\nrenamed: b1::b1_n_1 is now new_name::new_name_n_1" in done.out
    assert "gone: b2::b2_n_1" in done.out
    assert {key.benchmark for run in stored() for key in run.variants} == {"b0", "b1", "b2", "new_name"}


def test_a_variant_of_another_suite_with_the_same_command_is_not_a_renamed_one(work: Workplace):
    before, after = night(1, variants=2), night(2, variants=2)

    def moved(key: Any) -> Any:
        return key._replace(suite="other.yml") if key.benchmark == "b1" else key

    variants = {moved(key): facts for key, facts in after.variants.items()}
    metrics = {moved(key): metric for key, metric in after.metrics.items()}
    fill(before, replace(after, variants=variants, metrics=metrics))
    shown = json.loads(work.command("history", "show", "latest", "--format", "json").out)
    assert shown["changes"]["renamed"] == []
    assert (shown["changes"]["new"], shown["changes"]["gone"]) == (["b1::b1_n_1"], ["b1::b1_n_1"])


@pytest.mark.slow
def test_a_run_whose_clock_was_ahead_is_held_against_the_run_before_it(work: Workplace):
    ahead = night(2, started_utc="2190-01-01T00:00:00+00:00", variants=3)
    fill(night(1), ahead)
    shown = json.loads(work.command("history", "show", ahead.run_id, "--format", "json").out)
    assert (shown["changes"]["since"], shown["changes"]["new"]) == (night(1).run_id, ["b2::b2_n_1"])


def test_a_reference_to_several_runs_and_an_unknown_metric_are_refused(work: Workplace):
    fill(night(1), night(2))
    several = work.command("history", "show", "branch:main:2")
    assert (several.exitcode, "names 2 runs" in several.err) == (2, True)
    unknown = work.command("history", "show", "latest", "--metric", "speed")
    assert unknown.exitcode == 2
    assert (
        "--metric speed: run 0000000000000002 has no such metric; it has: latency, throughput" in unknown.err
    )


def exported(work: Workplace, *arguments: str) -> Done:
    fill(night(1), night(2, branch="topic"))
    return work.command("history", "export", *arguments)


@pytest.mark.slow
def test_an_export_has_a_row_for_each_value_in_every_format(work: Workplace):
    for name in ("runs.csv", "runs.json", "runs.parquet"):
        assert "24 rows of 2 runs" in exported(work, name).err
    rows = pyarrow.parquet.read_table("runs.parquet").to_pylist()
    assert rows == json.loads(Path("runs.json").read_text())
    with Path("runs.csv").open(newline="") as file:
        of_csv = list(csv.DictReader(file))
    assert [row["value"] for row in of_csv] == [str(row["value"]) for row in rows]
    assert list(of_csv[0]) == list(rows[0])
    one = next(row for row in rows if row["metric"] == "latency")
    assert (one["run_id"], one["hostname"], one["unit"], one["repetition"]) == (night(1).run_id, "h", "ms", 1)
    assert (one["value"], one["params"]) == (101.0, '{"n": "1"}')


def test_an_export_can_be_of_some_runs_and_go_to_standard_output(work: Workplace):
    assert len(exported(work, "-", "--format", "csv", "--branch", "topic").out.splitlines()) == 13
    assert (
        len(json.loads(exported(work, "-", "--format", "json", "--run", "latest", "0001").out or "[]")) == 0
    )


def test_a_failed_variant_is_exported_too(work: Workplace):
    run = night(1, variants=1)
    (key,) = run.variants
    failed = replace(run.variants[key], status="failed", reason="exited with code 1")
    fill(replace(run, metrics={}, variants={key: failed}))
    (row,) = json.loads(work.command("history", "export", "-", "--format", "json").out)
    assert (row["status"], row["reason"], row["metric"], row["value"]) == (
        "failed",
        "exited with code 1",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("runs.xml",), "the name does not determine the format; give --format parquet, csv, json"),
        (("-", "--format", "parquet"), "cannot be written to standard output; name a file"),
        (("no/runs.csv",), "export no/runs.csv: cannot be written: No such file or directory"),
        (("runs.csv", "--run", "latest", "--branch", "main"), "--branch main: --run names the runs"),
    ],
)
def test_an_export_that_cannot_be_made_is_refused(work: Workplace, arguments, reported):
    done = exported(work, *arguments)
    assert (done.exitcode, reported in done.err) == (2, True), done.err
    assert not list(work.folder.glob("*.tmp"))


@pytest.mark.slow
def test_text_that_utf_8_cannot_hold_is_exported_as_an_escape(work: Workplace):
    fill(night(1, branch="caf\udce9"), night(2, branch="café"))
    for kind in ("csv", "parquet", "json"):
        assert work.command("history", "export", f"runs.{kind}").exitcode == 0
    with Path("runs.csv").open(newline="", encoding="utf-8") as file:
        of_csv = {row["branch"] for row in csv.DictReader(file)}
    of_parquet = {row["branch"] for row in pyarrow.parquet.read_table("runs.parquet").to_pylist()}
    assert of_csv == of_parquet == {"caf\\udce9", "café"}
    assert {row["branch"] for row in json.loads(Path("runs.json").read_text())} == {"caf\udce9", "café"}
    assert "caf\\udce9" in work.command("history", "export", "-", "--format", "csv").out


def test_an_empty_history_is_exported_as_no_rows(work: Workplace):
    fill()
    assert json.loads(work.command("history", "export", "-", "--format", "json").out) == []


def recent(days_ago: int, hostname: str = "h", cores: int = 2) -> Run:
    started = datetime.now(timezone.utc) - timedelta(days=days_ago)
    machine = MACHINE | {"hostname": hostname, "cores": cores}
    return night(
        days_ago, run_id=f"{days_ago:08}{cores:08}", started_utc=started.isoformat(), machine=machine
    )


def kept() -> list[str]:
    return [run.run_id[:8].lstrip("0") for run in stored()]


@pytest.mark.slow
def test_old_runs_are_removed_and_a_dry_run_removes_none(work: Workplace):
    fill(*(recent(days) for days in (1, 5, 40, 50)))
    dry = work.command("history", "prune", "--keep-days", "30", "--dry-run")
    assert "2 runs would be removed" in dry.out
    assert kept() == ["1", "5", "40", "50"]
    assert "2 runs were removed" in work.command("history", "prune", "--keep-days", "30").out
    assert kept() == ["1", "5"]
    assert [run.metrics for run in stored()] == [night(1).metrics, night(5).metrics]


def test_the_newest_runs_of_each_machine_are_kept_and_either_option_keeps_a_run(work: Workplace):
    fill(*(recent(days) for days in (1, 2, 3, 40)), recent(50, cores=4), recent(60, cores=4))
    work.command("history", "prune", "--keep-runs", "1", "--keep-days", "2")
    assert kept() == ["1", "50"]


def test_numbers_of_any_size_keep_and_show_everything_there_is(work: Workplace):
    fill(recent(1), recent(400))
    assert "0 runs were removed" in work.command("history", "prune", "--keep-days", "1000000").out
    assert "0 runs were removed" in work.command("history", "prune", "--keep-days", "9" * 30).out
    assert len(work.command("history", "list", "--limit", "9" * 20).out.splitlines()) == 4
    done = work.command("history", "show", "latest~" + "9" * 20)
    assert done.exitcode == 2
    assert f"latest~{'9' * 20}: history.db has 2 runs; history list shows" in done.err


def test_prune_wants_to_know_what_to_keep(work: Workplace):
    done = work.command("history", "prune")
    assert (done.exitcode, "name what to keep: --keep-days N, --keep-runs N, or both" in done.err) == (
        2,
        True,
    )


def test_pruning_leaves_nothing_behind_that_only_removed_runs_needed(history):
    from sqlalchemy import func, select

    from examples_utils.history.database import tables
    from examples_utils.history.database.connection import reading

    history.add(night(1, machine={"cpu": "old"}))
    history.add(night(2))
    assert len(history.prune(keep_days=0)) == 2
    with reading(history._engine) as connection:
        for name in (
            "runs",
            "results",
            "run_suites",
            "figures",
            "log_tails",
            "machines",
            "settings",
            "commands",
        ):
            assert (
                connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar()
                == 0
            )
    assert history.add(night(2))
    assert history.load([night(2).run_id]) == [night(2)]


@pytest.mark.slow
def test_clocks_that_are_ahead_or_were_set_back_are_told_and_the_order_stays_sensible(work: Workplace):
    work.benchmark("--history")
    results = json.loads((work.log / "benchmark_results.json").read_text())

    def add_as_of(day: str) -> Done:
        for record in results["a"]:
            for part in (record, *record["repetitions"]):
                part["start_time_utc"] = f"{day}T02:00:00+00:00"
        (work.folder / "other.json").write_text(json.dumps(results))
        return work.command("history", "add", "other.json")

    assert "started at 2020-01-01T02:00:00+00:00, before" in add_as_of("2020-01-01").err
    assert "which is in the future: one of the clocks is wrong" in add_as_of("2190-01-01").err
    work.benchmark("--history")
    starts = [
        run["started_utc"][:4] for run in json.loads(work.command("history", "list", "--format", "json").out)
    ]
    # The one of 2190 has its place by when it was added: it is not the latest for the next 160 years.
    assert starts[1:] == ["2190", str(datetime.now(timezone.utc).year), "2020"]


def test_outputs_of_tools_become_runs_of_the_imported_suite(work: Workplace):
    done = work.command("import", str(SAMPLES / "benchmark_app.txt"), "--parser", "benchmark_app")
    assert (done.exitcode, done.err) == (0, "")
    (run,) = stored()
    (key,) = run.variants
    assert key == ("imported", "benchmark_app", "benchmark_app")
    figure = next(figure for name, figure in run.metrics.items() if name.metric == "throughput")
    assert (figure.unit, figure.direction) == ("samples/sec", "higher")
    assert (run.machine, run.commit) == ({}, None)
    assert "already complete" in work.command("import", str(SAMPLES / "benchmark_app.txt"), "--parser",
                                                   "benchmark_app").out  # fmt: skip


@pytest.mark.slow
def test_an_output_is_the_same_run_in_whatever_copy_of_its_file(work: Workplace):
    def bring(folder: str, written_s: int, *more: str) -> str:
        file = work.folder / folder / "times.json"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((SAMPLES / "hyperfine.json").read_bytes())
        os.utime(file, (written_s, written_s))
        return work.command("import", str(file), "--parser", "hyperfine", *more).out

    assert ": added: " in bring("first", 1_700_000_000)
    assert ": already complete: " in bring("copy", 1_700_086_400)
    bring("older", 1_600_000_000)
    (run,) = stored()
    assert run.started_utc.startswith("2020-09-13")
    assert [len(figure.values) for figure in run.metrics.values()] == [1] * len(run.metrics)
    assert ": added: " in bring("copy", 1_700_086_400, "--suite", "another")
    assert len(stored()) == 2


def test_outputs_that_differ_are_runs_of_their_own_though_their_figures_agree(work: Workplace):
    text = (SAMPLES / "google_benchmark_aggregates.json").read_text()
    assert '"date": "' in text
    for date in ("2026-01-01", "2026-01-02"):
        file = work.folder / "sums.json"
        file.write_text(text.replace('"date": "', f'"date": "{date} '))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert ": added: " in work.command("import", "sums.json", "--parser", "google_benchmark").out
    assert len(stored()) == 2


def test_benchmarks_that_a_tool_has_skipped_are_told_when_its_output_is_imported(work: Workplace):
    lines = [{"name": "a", "real_time": 1.0}, {"name": "b", "real_time": 0.0, "skipped": True}]
    (work.folder / "out.json").write_text(json.dumps({"benchmarks": lines}))
    done = work.command("import", "out.json", "--parser", "google_benchmark")
    assert done.exitcode == 0
    assert "warning: out.json: b: omitted: skipped" in done.err
    assert {key.metric for key in stored()[0].metrics} == {"a"}


def test_a_tool_that_ran_here_is_of_this_machine_and_this_commit(work: Workplace):
    subprocess.run("git init -q -b topic . && git -c user.name=t -c user.email=t@t commit -q --allow-empty -m c",
                   shell=True, check=True)  # fmt: skip
    output = str(SAMPLES / "hyperfine.json")
    assert (
        work.command("import", output, "--parser", "hyperfine", "--measured-here", "--suite", "cli").exitcode
        == 0
    )
    (run,) = stored()
    assert {key.suite for key in run.variants} == {"cli"}
    assert run.machine["cores"] > 0
    assert (len(run.commit or ""), run.branch, run.dirty) == (40, "topic", False)


def test_a_run_that_the_tool_calls_invalid_is_kept_as_a_failed_one(work: Workplace):
    done = work.command("import", str(SAMPLES / "loadgen_offline_invalid.txt"), "--parser", "loadgen")
    assert "LoadGen reports the run as INVALID" in done.err
    (facts,) = stored()[0].variants.values()
    assert facts.status == "failed"


def test_results_of_the_original_runner_are_imported(work: Workplace):
    from tests.benchmark_parsers.test_result_check import ORIGINAL

    (work.folder / "old.json").write_text(json.dumps({"b": [ORIGINAL]}))
    assert work.command("import", "old.json").exitcode == 0
    assert [figure.values for figure in stored()[0].metrics.values()] == [(118.5,)]


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("times.json",), "times.json:/: error: cannot be read"),
        (("spec.txt", "--parser", "hyperfine"), "contains no JSON of hyperfine: looked for a mapping"),
        (("nowhere.txt", "--parser", "driver"), "nowhere.txt: cannot be read: No such file"),
        (
            ("spec.txt", "--parser", "hyperfin"),
            "--parser hyperfin: no parser is called 'hyperfin'; did you mean",
        ),
        (("spec.txt", "--parser", "regex"), "--parser regex: its expressions are in a spec"),
        (("spec.txt", "--suite", "s"), "--suite: result files contain this themselves"),
        (("spec.txt", "--measured-here"), "--measured-here: result files contain this themselves"),
    ],
)
def test_an_import_that_cannot_be_made_is_refused(work: Workplace, arguments, reported):
    (work.folder / "spec.txt").write_text("no figures\n")
    done = work.command("import", *arguments)
    assert (done.exitcode, reported in done.err) == (2, True), done.err


WITHOUT = "import sys; sys.modules[sys.argv[1]] = None; from examples_utils.cli import *; sys.exit(main(sys.argv[2:]))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("sqlalchemy", "history list"),
        ("sqlalchemy", "import results.json"),
        ("sqlalchemy", "benchmark --history --log-dir log"),
        ("alembic", "history add log"),
        ("pyarrow", "history export runs.parquet"),
    ],
)
def test_without_a_package_it_says_which_one_to_install(work: Workplace, package, command):
    fill(night(1))
    command_line = [sys.executable, "-c", WITHOUT, package, *command.split()]
    done = subprocess.run(command_line, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"needs the package {package}" in done.stderr
    assert "pip install -e '.[history]'" in done.stderr
    assert not work.log.exists()
