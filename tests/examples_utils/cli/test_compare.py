"""`compare`: what BASE and NEW may be, the output, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from examples_utils.comparison.formats import FORMATS
from examples_utils.history.store import open_history
from examples_utils.run_model import Run, VariantFacts, VariantKey
from tests.examples_utils.stored_nights import MACHINE, NAMES, night

# Two single runs do not show how much runs differ, so no pair of them is unchanged; ten nights do.
NIGHTS = [night(number) for number in range(10)]
TEN_NIGHTS = "branch:main:11"  # the last one of them is NEW, and so no part of the base


def failed(run: Run, name: str) -> Run:
    """The run as it would be if this benchmark had failed in it."""
    key = VariantKey("benchmarks.yml", name, f"{name}_batch_8")
    figures = {metric: figure for metric, figure in run.metrics.items() if metric.of_variant != key}
    variants = {**run.variants, key: VariantFacts("failed", "exited with code 1")}
    return replace(run, variants=variants, metrics=figures)


@pytest.fixture
def compare(workplace):
    """`compare(runs, *arguments)`: the command on a history of these runs."""

    def command(runs, *arguments):
        with open_history("history.db", create=True) as history:
            for run in runs:
                history.add(run)
        return workplace.command("compare", *arguments)

    return command


def test_the_last_two_runs_are_compared_and_a_regression_exits_with_1(compare):
    done = compare([night(0), night(1), night(2, {"model3": 0.7})], "latest~1", "latest")
    assert done.exitcode == 1
    head = done.out.splitlines()[:2]
    assert head[0] == ("base: latest~1 (run 00000001abab of 2026-01-02 00:00, commit 0000000000 on main)")
    assert head[1].startswith("new:  latest (run 00000002abab of 2026-01-03")
    rows = [line for line in done.out.splitlines() if line.startswith("| regressed")]
    assert sorted(row.split("|")[3].strip() for row in rows) == ["latency", "throughput"]
    assert all("model3_batch_8" in row for row in rows)


def test_a_step_between_two_single_runs_is_called_unless_the_user_knows_that_runs_differ_as_much(compare):
    called = compare([night(0), night(1, {"model3": 0.94})], "latest~1", "latest")
    assert called.exitcode == 1
    assert "run noise: 0." in called.out
    rows = [line.split("|") for line in called.out.splitlines() if "| regressed" in line]
    assert [row[2].strip() for row in rows] == ["model3_batch_8"] * 2
    restless = compare([], "latest~1", "latest", "--run-noise", "5%")
    assert restless.exitcode == 0
    assert "| uncertain " in restless.out
    assert (
        "run noise: 5.00% (standard deviation between two runs of the same code, given by --run-noise)"
        in restless.out
    )


@pytest.mark.slow
def test_the_noise_between_runs_comes_from_the_history_where_it_holds_enough_runs(compare):
    runs = [*NIGHTS, night(10, {"model3": 0.97})]
    done = compare(runs, "latest~1", "latest", "--format", "json")
    assert done.exitcode == 1
    assert "from 9 earlier runs of this machine in the history" in json.loads(done.out)["run_noise"]


def test_a_run_noise_that_several_runs_tell_themselves_is_said_to_have_no_effect(compare):
    done = compare([*NIGHTS, night(10)], TEN_NIGHTS, "latest", "--run-noise", "1%")
    assert (done.exitcode, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("warning: --run-noise has no effect")


@pytest.mark.slow
def test_unchanged_runs_exit_with_0_and_the_table_folds_all_of_them_away(compare):
    done = compare([*NIGHTS, night(10)], TEN_NIGHTS, "latest")
    assert done.exitcode == 0
    assert "12 unchanged" in done.out
    assert "model" not in done.out
    assert done.out.count("|") == 0
    everything = compare([], TEN_NIGHTS, "latest", "--all")
    assert everything.out.count("| unchanged ") == 12


@pytest.mark.parametrize("base", ["branch:main:4", "00000002", "00000002" + "ab" * 4])
def test_a_base_may_be_an_id_its_beginning_or_the_last_runs_of_a_branch(compare, base):
    done = compare([night(number) for number in range(4)], base, "latest")
    assert done.exitcode == 0
    assert f"base: {base} (" in done.out
    assert ("3 runs: run 00000000abab" in done.out) == base.startswith("branch")


@pytest.mark.parametrize("kind", ["csv", "table"])
def test_text_that_utf_8_cannot_hold_is_written_as_an_escape(compare, kind):
    runs = [night(0), night(1)]
    odd = [
        replace(run, metrics={key: replace(figure, unit="\udcff") for key, figure in run.metrics.items()})
        for run in runs
    ]
    more = ["--all"] if kind == "table" else []
    done = compare(odd, "latest~1", "latest", "--format", kind, "--output", "out", *more)
    assert done.exitcode == 0
    assert "\\udcff" in Path("out").read_text(encoding="utf-8")


@pytest.mark.slow
def test_files_and_folders_are_compared_with_each_other_and_with_the_history(workplace, compare):
    workplace.spec("a:\n  cmd: echo 100\n  data: {rate: {regexp: '(\\d+)', direction: higher}}\n")
    for log in ("one", "two"):
        workplace.command("benchmark", "--repeat", "3", "--log-dir", log)
    files = compare([], "one", "two/benchmark_results.json")
    assert (files.exitcode, files.err) == (0, "")
    assert workplace.command("history", "add", "one").exitcode == 0
    mixed = compare([], "latest", "two")
    assert mixed.exitcode == 0
    assert "base: latest (run " in mixed.out
    assert "new:  two (run " in mixed.out


@pytest.mark.processes
def test_files_can_be_compared_where_no_database_library_is_installed(workplace):
    workplace.spec("a: {cmd: echo 1, data: {rate: {regexp: '(\\d)'}}}\n")
    for log in ("one", "two"):
        workplace.command("benchmark", "--log-dir", log)
    code = (
        "import sys; sys.modules['sqlalchemy'] = None; from examples_utils.cli import main; sys.exit(main())"
    )
    words = [sys.executable, "-c", code, "compare"]
    done = subprocess.run([*words, "one", "two"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    refused = subprocess.run([*words, "latest", "two"], capture_output=True, text=True)
    assert refused.returncode == 2
    assert "needs the package sqlalchemy" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_without_the_statistics_library_it_says_what_to_install(workplace):
    code = "import sys; sys.modules['scipy'] = None; from examples_utils.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "compare", "one", "two"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2
    assert "compare needs scipy" in done.stderr
    assert "pip install -e '.[history]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["latest", "latest"], "latest and latest both name run 00000001abab"),
        (["branch:main:1", "latest"], "name an earlier run as BASE"),
        (["latest~7", "latest"], "latest~7: history.db has 2 runs"),
        (["nothing", "latest"], "nothing: is not a run of history.db"),
        (["0000", "latest"], "is a prefix of 2 run ids"),
        (["branch:dev", "latest"], "has no runs of this branch"),
        (["nothing.json", "latest"], "nothing.json: no such file or folder"),
        (["latest~1", "latest", "--metrics", "troughput"], "--metrics troughput: no such metric; did you mean thr"),
        (["latest~1", "latest", "--benchmark", "modle1"], "--benchmark modle1: no such benchmark; did you mean model1"),
        (["latest~1", "latest", "--threshold", "0"], "--threshold: expected a share of the metric above 0%"),
        (["latest~1", "latest", "--threshold", "5"], "write 5% if that is meant"),
        (["latest~1", "latest", "--format", "xml"], "invalid choice: 'xml'"),
        (["latest~1", "latest", "--format", "csv", "--all"], "--all: --format csv shows all metrics anyway"),
        (["latest~1", "latest", "--output", "."], "--output .: is a folder"),
        (["latest~1", "latest", "--output", "no/x"], "there is no folder no"),
        (["latest~1", "latest", "--history", "other.db"], "other.db"),
        (["latest"], "the following arguments are required: NEW"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_what_is_there(compare, arguments, reported):
    done = compare([night(0), night(1)], *arguments)
    assert done.exitcode == 2
    assert reported in done.err


def test_without_a_history_a_reference_is_refused_with_a_remedy(workplace):
    done = workplace.command("compare", "latest~1", "latest")
    assert done.exitcode == 2
    assert "latest: is neither a file or folder nor a run of a history: " in done.err


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"a": 1}', "\x00", '{"a": [{"results": NaN}]}', '{"a": [{}]}', "[" * 100_000]
)
def test_a_file_that_is_no_result_is_refused(workplace, text):
    workplace.script("bad.json", text)
    done = workplace.command("compare", "bad.json", "bad.json")
    assert done.exitcode == 2
    assert "bad.json" in done.err


@pytest.mark.slow
def test_a_record_that_cannot_be_read_is_left_out_with_a_warning(workplace):
    workplace.spec("a: {cmd: echo 1}\nb: {cmd: echo 1, data: {rate: {regexp: '(\\d)'}}}\n")
    for log in ("one", "two"):
        workplace.command("benchmark", "--log-dir", log)
    workplace.script("one/a/variant_result.json", "{")
    done = workplace.command("compare", "one", "two")
    assert done.exitcode == 0
    assert "warning: one/a/variant_result.json" in done.err


@pytest.mark.slow
def test_the_threshold_of_the_command_line_counts_unless_the_benchmark_has_its_own(compare):
    slower = night(1, {"model1": 0.8, "model2": 0.8})
    key = VariantKey("benchmarks.yml", "model2", "model2_batch_8")
    own = replace(slower, variants={**slower.variants, key: VariantFacts("passed", threshold=0.02)})
    strict = compare([night(0), own], "latest~1", "latest", "--metrics", "throughput")
    assert "2 regressed" in strict.out
    lax = compare([], "latest~1", "latest", "--threshold", "40%", "--metrics", "throughput")
    assert lax.exitcode == 1
    assert "1 regressed" in lax.out
    assert "model2_batch_8" in lax.out


@pytest.mark.slow
def test_what_is_chosen_decides_the_exit_code_and_changes_no_verdict(compare):
    runs = [night(0), night(1, {"model1": 0.7})]
    everything = compare(runs, "latest~1", "latest", "--format", "json")
    others = compare([], "latest~1", "latest", "--benchmark", "model[2-5]")
    one = compare(
        [], "latest~1", "latest", "--benchmark", "model1*", "--metrics", "latency", "--format", "json"
    )
    assert (everything.exitcode, others.exitcode, one.exitcode) == (1, 0, 1)
    (figure,) = json.loads(one.out)["figures"]
    assert figure in json.loads(everything.out)["figures"]


@pytest.mark.slow
def test_a_benchmark_that_newly_failed_exits_with_1_and_one_that_had_failed_before_does_not(compare):
    done = compare([night(0), failed(night(1), "model2")], "latest~1", "latest")
    assert done.exitcode == 1
    assert "failed" in done.out
    again = compare([failed(night(2), "model2")], "latest~1", "latest")
    assert again.exitcode == 0
    assert "regressed" not in again.out


def test_runs_of_different_machines_are_not_compared_and_the_first_lines_say_why(compare):
    other = night(1, {"model1": 0.5}, machine={**MACHINE, "cores": 64})
    done = compare([night(0), other], "latest~1", "latest")
    assert done.exitcode == 3
    assert done.err == (
        "warning: nothing could be compared: 12 metrics not comparable: machine: cores 2 in the base, 64 now\n"
    )
    assert "12 not comparable" in done.out
    note = next(line for line in done.out.splitlines()[:4] if line.startswith("note: "))
    assert "cores" in note
    assert "64" in note


@pytest.mark.slow
def test_a_gate_does_not_pass_where_nothing_could_be_compared(compare):
    first, second = night(0), night(1)
    of_others = {
        key._replace(benchmark="other", variant="other"): metric
        for key, metric in second.metrics.items()
        if key.benchmark == "model0"
    }
    other = replace(second, variants={}, metrics=of_others)
    done = compare([first, other], "latest~1", "latest")
    assert done.exitcode == 3
    assert (
        "warning: nothing could be compared: 12 metrics missing: it is not in the new run; 2 metrics new"
        in done.err
    )
    compare([night(2)])
    chosen = compare([failed(night(3), "model2")], "latest~2", "latest", "--benchmark", "model2")
    assert chosen.exitcode == 3
    assert "1 metric failed: exited with code 1" in chosen.err


def test_a_failure_that_is_new_exits_with_1_even_where_nothing_could_be_compared(compare):
    done = compare([night(0), failed(night(1), "model2")], "latest~1", "latest", "--benchmark", "model2")
    assert done.exitcode == 1


def test_a_branch_with_fewer_runs_than_requested_is_used_whole_and_the_number_reported(compare):
    topic = [replace(night(number), branch="topic") for number in range(3)]
    done = compare([*topic, night(3)], "branch:topic:14", "latest")
    assert (done.exitcode, done.err) == (
        0,
        "warning: branch:topic:14: history.db has 3 runs of this branch; using all\n",
    )
    assert "base: branch:topic:14 (3 runs: run 00000000abab" in done.out


def test_a_slow_machine_is_said_once_and_accuses_no_benchmark(compare):
    canary = {"compute_s": (0.010,) * 12, "memory_s": (0.020,) * 12}
    slow = {kernel: tuple(1.06 * value for value in values) for kernel, values in canary.items()}
    runs = [replace(run, canary=canary) for run in NIGHTS]
    runs.append(night(10, dict.fromkeys(NAMES, 1 / 1.06), canary=slow))
    done = compare(runs, TEN_NIGHTS, "latest")
    assert done.exitcode == 0, done.out
    assert done.out.count("machine slower by ") == 1
    assert done.out.index("machine slower by ") < done.out.index("unchanged")


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_to_the_terminal_or_to_a_file(workplace, compare, name):
    done = compare([*NIGHTS, night(10, {"model1": 0.9})], TEN_NIGHTS, "latest", "--format", name)
    written = compare([], TEN_NIGHTS, "latest", "--format", name, "--output", "out")
    assert (done.exitcode, written.exitcode) == (1, 1)
    assert (workplace.folder / "out").read_text() == done.out
    assert "model1_batch_8" in done.out
    assert "written to out" in written.out
    assert "2 regressed, 10 unchanged" in written.out
