"""Log folders and result files are read as the runs that they are of, or refused; no result is lost on the way."""

from __future__ import annotations

import copy
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from examples_utils.history.readers.results import read_results
from examples_utils.problems import RequestError
from examples_utils.run_model import Metric, MetricKey, Run, VariantKey
from tests.benchmark_parsers.test_result_check import ORIGINAL as ORIGINAL_RECORD
from tests.benchmark_parsers.test_result_check import OURS
from tests.examples_utils.conftest import Workplace

SPEC = """
a:
  parameters: {n: '1,2'}
  cmd: python3 -c "print('throughput {n}00 samples/sec'); import sys; print('warming up', file=sys.stderr)"
  data: {throughput: {regexp: 'throughput (.*?) samples/sec'}}
  compare: {threshold: 5%}
b: {cmd: "sh -c 'echo oh no >&2; exit 3'"}
"""
A1 = VariantKey("benchmarks.yml", "a", "a_n_1")
B = VariantKey("benchmarks.yml", "b", "b")


def written(folder: Path, document: Any, name: str = "benchmark_results.json") -> Path:
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def record(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(OURS) | changes


def measured(seconds: int, value: float, **changes: Any) -> dict[str, Any]:
    """One of our records, or a repetition in one, that started so many seconds after ten."""
    metric = OURS["metrics"]["throughput"] | {"value": value}
    return record(
        start_time_utc=f"2023-01-05T10:00:{seconds:02}+00:00",
        metrics={"throughput": {k: v for k, v in metric.items() if k not in ("samples", "summary")}},
        results={"throughput": {"mean": value}},
        **changes,
    )


def only_run(path: Path) -> Run:
    (run,) = read_results(path).runs
    return run


@pytest.mark.slow
def test_a_log_folder_and_its_result_file_are_the_same_run(workplace: Workplace):
    workplace.spec(SPEC)
    workplace.benchmark("--repeat", "2")
    run = only_run(workplace.log)
    assert only_run(workplace.log / "benchmark_results.json") == run
    assert run.metrics[MetricKey(*A1, "throughput")] == Metric((100, 100), "samples/sec", "higher", "mean")
    assert run.variants[A1].log_tail == "throughput 100 samples/sec\n--- stderr ---\nwarming up"
    assert run.variants[A1].threshold == 0.05
    assert run.variants[A1].params == {"n": "1"}
    assert (run.variants[B].status, run.variants[B].reason) == ("failed", "exited with code 3")
    assert run.machine["cores"] > 0
    assert "python" in run.software


@pytest.mark.slow
def test_a_folder_that_was_moved_keeps_its_logs(workplace: Workplace):
    workplace.spec(SPEC)
    workplace.benchmark()
    run = only_run(workplace.log)
    moved = workplace.log.rename(workplace.folder / "elsewhere")
    assert only_run(moved) == run
    shutil.copy(moved / "benchmark_results.json", workplace.folder / "alone.json")
    shutil.rmtree(moved)
    bare = only_run(workplace.folder / "alone.json")
    assert bare.metrics == run.metrics
    assert {facts.log_tail for facts in bare.variants.values()} == {""}


def test_a_result_file_cannot_name_any_file_of_this_machine_as_a_log(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a password")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/link").symlink_to(secret)
    for path in (str(secret), "../secret", "/x/../secret", "link"):
        results = {"b": [record(log_paths={"out": path, "err": path})]}
        run = only_run(written(tmp_path / "logs", results))
        assert [facts.log_tail for facts in run.variants.values()] == [""]


def test_only_the_end_of_a_long_log_is_kept(tmp_path):
    (tmp_path / "stdout").write_text("".join(f"line {number}\n" for number in range(100_000)))
    file = written(tmp_path, record(log_paths={"out": "/moved/stdout", "err": None}), "variant_result.json")
    (facts,) = only_run(file).variants.values()
    assert facts.log_tail.splitlines() == [f"line {number}" for number in range(99_960, 100_000)]


@pytest.mark.slow
def test_a_run_that_was_resumed_is_the_same_run_that_has_grown(workplace: Workplace):
    workplace.spec(SPEC)
    workplace.benchmark()
    whole = only_run(workplace.log)
    shutil.rmtree(workplace.log / "b")
    early = only_run(workplace.log)
    assert early.run_id == whole.run_id
    assert early.variants[B].status == "not run"
    assert early.variants[A1] == whole.variants[A1]


def test_a_folder_of_which_only_the_result_file_was_kept_is_read_from_it(tmp_path):
    written(tmp_path, {"b": [OURS]})
    assert only_run(tmp_path) == only_run(tmp_path / "benchmark_results.json")


def test_results_of_the_original_runner_give_all_that_they_say(tmp_path):
    text = ORIGINAL_RECORD | {"results": {"throughput": {"mean": 118.5}, "latency": {"mean": None},
                              "own": {"lines": 3, "words": 7}, "note": {"value": "fine"}}}  # fmt: skip
    failed = ORIGINAL_RECORD | {
        "variant_name": "b_n_2",
        "exitcode": -9,
        "params": {"n": 2},
        "command": ["run", "a b"],
    }
    run = only_run(written(tmp_path, {"b": [text, failed]}))
    key, other = VariantKey("benchmarks.yml", "b", "b_n_1"), VariantKey("benchmarks.yml", "b", "b_n_2")
    assert run.metrics[MetricKey(*key, "throughput")] == Metric((118.5,), None, "higher", "mean")
    assert run.metrics[MetricKey(*key, "own_lines")] == Metric((3.0,), None, None, "lines")
    assert {name.metric for name in run.metrics if name.of_variant == key} == {
        "throughput",
        "own_lines",
        "own_words",
    }
    assert (run.variants[key].status, run.variants[key].settings) == ("passed", {})
    assert (run.variants[other].status, run.variants[other].reason) == ("failed", "was ended by SIGKILL")
    assert (run.variants[other].params, run.variants[other].command) == ({"n": "2"}, "run 'a b'")
    assert run.started_utc.endswith("+00:00")
    assert (run.machine, run.commit) == ({}, None)


def test_the_values_of_the_repetitions_are_in_their_order_and_failed_ones_have_none(tmp_path):
    repetitions = [
        measured(9, 3.0, repetition=3),
        measured(1, 1.0, repetition=1),
        measured(5, 2.0, repetition=2),
    ]
    repetitions[2] |= {"status": "failed", "metrics": {}, "results": {}}
    run = only_run(written(tmp_path, {"b": [measured(1, 2.0, repetitions=repetitions)]}))
    (figure,) = run.metrics.values()
    assert figure.values == (1.0, 3.0)


def test_the_canary_is_collected_in_order_of_time(tmp_path):
    early = measured(1, 1.0, canary={"compute_s": 0.1, "memory_s": 0.4})
    first, second = measured(2, 1.0, canary={"compute_s": 0.2}), measured(4, 1.0, canary={"compute_s": 0.3})
    late = measured(2, 1.0, variant_name="c", repetitions=[second | {"repetition": 2}, first])
    run = only_run(written(tmp_path, {"b": [late, early]}))
    assert run.canary == {"compute": (0.1, 0.2, 0.3), "memory": (0.4,)}
    assert run.started_utc == "2023-01-05T10:00:01+00:00"


def test_results_of_two_machines_are_two_runs(tmp_path):
    other = record(variant_name="c", machine=OURS["machine"] | {"hostname": "other"})
    runs = read_results(written(tmp_path, {"b": [OURS, other]})).runs
    assert [run.machine["hostname"] for run in runs] == ["h", "other"]
    assert [len(run.variants) for run in runs] == [1, 1]
    assert len({run.run_id for run in runs}) == 2


def test_commit_and_branch_are_those_of_the_records(tmp_path):
    git = {"commit": "c" * 40, "dirty": True, "branch": "topic"}
    run = only_run(written(tmp_path, {"b": [record(git=git)]}))
    assert (run.commit, run.dirty, run.branch) == ("c" * 40, True, "topic")


def test_a_clock_that_was_set_back_during_the_run_is_told_and_the_order_stays(tmp_path):
    repetitions = [measured(9, 1.0, repetition=1), measured(2, 2.0, repetition=2)]
    found = read_results(written(tmp_path, {"b": [measured(9, 1.5, repetitions=repetitions)]}))
    (warning,) = found.warnings
    assert "the clock was set back during the run" in warning
    assert next(iter(found.runs[0].metrics.values())).values == (1.0, 2.0)


def test_results_of_several_commits_and_doubled_variants_are_told(tmp_path):
    other = record(variant_name="c", git={"commit": "d" * 40, "dirty": False})
    found = read_results(
        written(tmp_path, {"b": [record(git={"commit": "c" * 40, "dirty": False}), other, other]})
    )
    assert "contains results of several commits (cccccccccccc, dddddddddddd)" in found.warnings[0]
    assert "contains b::c more than once; the last one counts" in found.warnings[1]


FIGURE = ("metrics", "throughput", "value")
BAD: dict[str, tuple[str, str]] = {
    "empty": ("", "is empty; rebuild it with: collect LOG_DIR"),
    "truncated": (json.dumps({"b": [OURS]})[:-40], "is cut off: rebuild it with collect LOG_DIR"),
    "foreign": ('{"name": "app", "version": 3}', "expected a list of records; got 'app'"),
    "a list": ("[1, 2]", "expected a mapping of benchmark name to records"),
    "NaN": (json.dumps({"b": [measured(1, float("nan"))]}), "NaN is not a valid JSON number"),
    "negative": (json.dumps({"b": [measured(1, -1.0)]}), "a finite number from 0, or null; got -1.0"),
    "missing": (json.dumps({"b": [{k: v for k, v in OURS.items() if k != "results"}]}), "results is missing"),
    "no time": (json.dumps({"b": [OURS, record(start_time_utc="2026-13-45T10:00:00+00:00")]}),
                ":/b/1/start_time_utc: error: expected a time"),
    "nested": ("[" * 100_000, "is not a result file: it is nested too deeply"),
    "never run": (
        json.dumps({"b": [record(status="not run", start_time=None, start_time_utc=None, metrics={}, results={})]}),
        "contains no result of a variant that was run",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_place_and_reason(tmp_path, name):
    text, reported = BAD[name]
    file = written(tmp_path, text)
    with pytest.raises(RequestError) as caught:
        read_results(file)
    assert str(file) in str(caught.value)
    assert reported in str(caught.value)


def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    file = written(tmp_path, "{")
    with file.open("r+b") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(RequestError, match="has 1074 MB; files over 128 MiB are not read"):
        read_results(file)


def test_many_problems_are_cut_to_a_few_lines(tmp_path):
    file = written(tmp_path, {"b": [{}] * 100})
    with pytest.raises(RequestError) as caught:
        read_results(file)
    assert len(str(caught.value).splitlines()) == 6
    assert "more: see validate-results" in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(RequestError, match="cannot be read: No such file"):
        read_results(tmp_path / "no.json")
    with pytest.raises(
        RequestError, match="contains no result of a variant that was run; name a run's --log-dir"
    ):
        read_results(tmp_path)


@pytest.mark.slow
def test_a_bad_record_of_a_log_folder_is_left_out_and_the_others_are_read(workplace: Workplace):
    workplace.spec(SPEC)
    workplace.benchmark()
    file = workplace.log / "a_n_2/variant_result.json"
    file.write_text(file.read_text()[:-100])
    found = read_results(workplace.log)
    (left_out,) = found.left_out
    assert left_out.startswith(f"{file}:")
    assert MetricKey(*A1, "throughput") in found.runs[0].metrics
    assert {facts.status for facts in found.runs[0].variants.values()} == {"passed", "failed", "not run"}


@pytest.mark.parametrize(
    "more",
    [
        {"git": "3f2a91c"}, {"machine": "node7"}, {"repetitions": 5}, {"settings": "fast"}, {"metrics": [1]},
        {"suite": 7}, {"canary": "none"}, {"software": "3.4"}, {"compare": 2}, {"warnings": 3}, {"status": {}},
    ],
    ids=lambda more: next(iter(more)),
)  # fmt: skip
def test_what_an_original_record_holds_beside_its_own_keys_does_not_matter(tmp_path, more):
    plain = only_run(written(tmp_path, {"b": [ORIGINAL_RECORD]}))
    assert only_run(written(tmp_path, {"b": [ORIGINAL_RECORD | more]})) == plain


def test_an_original_result_is_the_same_run_in_every_time_zone(tmp_path, monkeypatch):
    file = written(tmp_path, {"b": [ORIGINAL_RECORD]})
    runs = []
    for zone in ("UTC", "Europe/Berlin"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        runs.append(only_run(file))
    monkeypatch.undo()
    time.tzset()
    assert runs[0].run_id == runs[1].run_id
    assert runs[0].started_utc != runs[1].started_utc
