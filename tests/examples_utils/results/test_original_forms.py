"""Results keep the keys, types and text forms that scripts of the original runner's users read."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from benchmark_parsers.result_check import check_results
from tests.examples_utils.ab.git_project import GitProject
from tests.examples_utils.conftest import FIGURES, Done, Workplace

PASSES = "echo 'throughput: 7 samples/sec latency: 2 ms'"
TWO = f"""
good: {{cmd: "{PASSES}", parameters: {{n: '1,2'}}, env: {{X: y}}, data: {{
  throughput: {{regexp: 'throughput: *(.*?) samples'}}, loss: {{regexp: 'latency: (.*) ms', reduction_type: final}}}}}}
bad: {{cmd: sh -c 'exit 3', data: {{throughput: {{regexp: 'throughput: *(.*?) samples'}}}}}}
"""
ORIGINAL_TYPES = {
    "benchmark_path": str,
    "benchmark_name": str,
    "variant_name": str,
    "params": dict,
    "command": str,
    "results": dict,
    "start_time": str,
    "end_time": str,
    "compilation_end_time": str,
    "test_duration": str,
    "exitcode": int,
    "log_paths": dict,
    "latest_checkpoint_path": str,
}


def original_rows(done: Done) -> list[list[str]]:
    return list(csv.reader(io.StringIO((done.log / "benchmark_results.csv").read_bytes().decode())))


def test_a_record_keeps_the_types_of_the_original_whether_it_passed_or_failed(workplace: Workplace) -> None:
    workplace.spec(TWO)
    for record in workplace.benchmark().by_variant.values():
        assert {key: type(record[key]) for key in ORIGINAL_TYPES} == ORIGINAL_TYPES


def test_durations_are_seconds_and_times_are_local_as_text(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: sleep 0.05}\nskipped: {cmd: echo, requires: [no_such_program]}\n")
    records = workplace.benchmark().by_variant
    record = records["a"]
    assert float(record["test_duration"]) == record["duration_s"] >= 0.05
    seconds = datetime.fromisoformat(record["end_time"]) - datetime.fromisoformat(record["start_time"])
    assert seconds.total_seconds() == pytest.approx(record["duration_s"], abs=1)
    assert " " in record["start_time"]
    assert record["compilation_end_time"] == "None"
    assert float(records["skipped"]["test_duration"]) == 0


def test_variant_folders_lie_in_the_log_folder_under_their_own_names(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: echo hi, parameters: {n: '1,2'}}\nb: {cmd: echo hi}\n")
    done = workplace.benchmark()
    for name in ("a_n_1", "a_n_2", "b"):
        assert (done.log / name / "stdout.log").read_text() == "hi\n"
        assert (done.log / name / "stderr.log").read_text() == ""
        assert json.loads((done.log / name / "variant_result.json").read_text())["variant_name"] == name


@pytest.mark.slow
def test_benchmarks_that_share_a_variants_name_have_folders_of_their_own(workplace: Workplace) -> None:
    specs = [
        workplace.spec(f"gen: {{cmd: echo {word}}}\nother: {{cmd: echo other}}\n", f"{word}.yml")
        for word in "AB"
    ]
    done = workplace.benchmark("--spec", *map(str, specs))
    outputs = [Path(record["log_paths"]["out"]) for record in done.results["gen"]]
    assert [output.read_text() for output in outputs] == ["A\n", "B\n"]
    assert [output.parent.name for output in outputs] == ["gen", "gen"]
    assert len({output.parent.parent for output in outputs}) == 2
    assert {output.parents[2] for output in outputs} == {done.log}
    assert len(workplace.command("collect", str(done.log)).results["gen"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["run.json", "console.log", "benchmark_results.json", "preparation", "canary", "earlier_runs", "日" * 80],
)
def test_a_variant_never_takes_the_place_of_a_file_of_the_run(workplace: Workplace, name: str) -> None:
    workplace.spec(f"{name}: {{cmd: echo hi}}\n")
    for _ in range(2):
        done = workplace.benchmark("--canary")
        assert done.exitcode == 0
        assert Path(done.by_variant[name]["log_paths"]["out"]).read_text() == "hi\n"
    assert len(list(done.log.glob("earlier_runs/*/*/variant_result.json"))) == 1


def test_the_log_folder_of_another_run_inside_is_not_read(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: echo 1}\n")
    workplace.benchmark()
    workplace.command("benchmark", "--log-dir", str(workplace.log / "inner"))
    workplace.command("collect", str(workplace.log))
    (record,) = workplace.benchmark("--dry-run").results["a"]
    assert record["log_paths"]["out"] == str(workplace.log / "a/stdout.log")


@pytest.mark.parametrize("named", ["/etc", "..", "earlier_runs", "a/../..", "", "a/b/c"])
def test_a_damaged_list_of_variants_moves_nothing_else(
    workplace: Workplace, named: str, tmp_path: Path
) -> None:
    workplace.spec("a: {cmd: echo 1}\n")
    workplace.benchmark()
    run = json.loads((workplace.log / "run.json").read_text())
    (workplace.log / "run.json").write_text(json.dumps(run | {"variants": {named: {}}}))
    before = sorted(tmp_path.glob("*"))
    assert workplace.benchmark().exitcode == 0
    assert sorted(tmp_path.glob("*")) == before


CHECKPOINTS = """
import os, sys
for index, name in enumerate(sys.argv[3:]):
    path = os.path.join(sys.argv[2], name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
    os.utime(path, (4102444800 + index,) * 2)  # the last one named is the newest
"""


@pytest.mark.parametrize(
    ("written", "newest"),
    [
        (["a.pt", "log.txt"], "a.pt"),
        (["a.pth", "b.h5", "events.out"], "b.h5"),
        (["step_1/model.pt", "step_2/model.pt", "logs/events.txt"], "step_2"),
        (["run/step_1/ckpt-1.index"], "run/step_1"),
        (["step_1/model.pt", "last.pth"], "last.pth"),
        (["log.txt"], None),
    ],
)
def test_the_latest_checkpoint_is_a_checkpoint_file_or_a_folder_of_them(
    workplace: Workplace, tmp_path: Path, written: list[str], newest: str | None
) -> None:
    workplace.script("train.py", CHECKPOINTS)
    workplace.spec(f"t: {{cmd: python3 train.py --checkpoint-output-dir ck {' '.join(written)}}}\n")
    record = workplace.benchmark().by_variant["t"]
    assert record["latest_checkpoint_path"] == str(newest and (tmp_path / "ck" / newest).resolve())


def test_without_a_checkpoint_its_path_is_the_text_none(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: echo}\nb: {cmd: python3 -c '' --checkpoint-output-dir nowhere}\n")
    workplace.spec("s: {cmd: echo, requires: [no_such_program]}\n", "skipped.yml")
    done = workplace.benchmark("--spec", "benchmarks.yml", "skipped.yml")
    assert {record["latest_checkpoint_path"] for record in done.by_variant.values()} == {"None"}


def test_the_sdk_is_that_which_is_enabled(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk = workplace.folder / "opt/poplar_sdk-ubuntu_20_04-3.3.0+1403-208993bbb7"
    monkeypatch.setenv("POPLAR_SDK_ENABLED", str(sdk / "poplar-ubuntu_20_04-3.3.0+7857-b67b751185"))
    workplace.spec("a: {cmd: echo}\n")
    record = workplace.benchmark().by_variant["a"]
    assert record["sdk_path"] == os.path.realpath(sdk.parent)
    assert record["sdk_version"].startswith("3.3.0+1403-208993bbb7")


def test_without_an_sdk_both_are_null(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POPLAR_SDK_ENABLED", raising=False)
    workplace.spec("a: {cmd: echo}\n")
    record = workplace.benchmark().by_variant["a"]
    assert (record["sdk_path"], record["sdk_version"]) == (None, None)


def test_additional_metrics_are_results_in_the_form_of_the_original(workplace: Workplace) -> None:
    workplace.spec(TWO)
    done = workplace.benchmark("--additional-metrics")
    good, bad = done.by_variant["good_n_1"], done.by_variant["bad"]
    assert good["results"]["throughput"] == {"mean": 7.0}
    assert good["results"]["test_duration"] == {"test_duration": good["duration_s"]}
    assert good["results"]["cmd"] == {"cmd": good["command"]}
    assert good["results"]["result"] == {"result": "True"}
    assert good["results"]["git_commit_hash"] == {"git_commit_hash": "Not a git repo"}
    words = good["results"]["env"]["env"]
    assert "X=y " in words
    assert words == "".join(f"{name}={value} " for name, value in good["env"].items())
    assert bad["results"]["result"] == {"result": "False"}
    assert bad["results"]["throughput"] == {"mean": None}
    assert check_results(done.log / "benchmark_results.json").problems == ()


def test_a_metric_of_the_entry_takes_precedence_over_an_additional_one(workplace: Workplace) -> None:
    workplace.spec("a: {cmd: echo took 5 s, data: {test_duration: {regexp: 'took (.*) s'}}}\n")
    record = workplace.benchmark("--additional-metrics").by_variant["a"]
    assert record["results"]["test_duration"] == {"mean": 5.0}


@pytest.mark.slow
def test_additional_metrics_are_no_measurements_in_the_history(workplace: Workplace) -> None:
    workplace.spec(f'a:\n  cmd: "{PASSES}"{FIGURES}')
    done = workplace.benchmark("--additional-metrics")
    workplace.command("history", "add", str(done.log / "benchmark_results.json"), "--history", "h.db")
    workplace.command("history", "export", "values.csv", "--history", "h.db")
    rows = csv.DictReader((workplace.folder / "values.csv").open())
    assert {row["metric"] for row in rows} == {"throughput", "latency"}


def test_the_commit_of_a_checkout_is_among_the_additional_metrics(
    workplace: Workplace, project: GitProject
) -> None:
    commit = project.commit("Second")
    record = workplace.benchmark("--additional-metrics").by_variant["quick"]
    assert record["results"]["git_commit_hash"] == {"git_commit_hash": commit}


def test_the_csv_of_the_original_has_its_columns_all_quoted(workplace: Workplace) -> None:
    workplace.spec(TWO)
    done = workplace.benchmark("--csv-format", "examples-utils")
    assert (done.log / "benchmark_results.csv").read_bytes() == (
        b'"benchmark name","Variant name","throughput","latency","total_compiling_time"\r\n'
        b'"good","good_n_1","7.0","",""\r\n'
        b'"good","good_n_2","7.0","",""\r\n'
        b'"bad","bad","","",""\r\n'
    )


def test_csv_metrics_add_columns_to_the_csv_of_the_original(workplace: Workplace) -> None:
    workplace.spec(TWO)
    done = workplace.benchmark("--csv-format", "examples-utils", "--csv-metrics", "loss")
    header, first, *_ = original_rows(done)
    assert header[2:] == ["throughput", "latency", "total_compiling_time", "loss"]
    assert first[2:] == ["7.0", "", "", "2.0"]


def test_additional_metrics_have_their_places_in_the_csv_of_the_original(workplace: Workplace) -> None:
    workplace.spec(TWO)
    done = workplace.benchmark("--csv-format", "examples-utils", "--additional-metrics", "--csv-metrics", "n")
    header, first, *_ = original_rows(done)
    assert header[5:] == ["test_duration", "loss", "result", "cmd", "env", "git_commit_hash", "n"]
    assert first[6:8] == ["2.0", "True"]
    assert first[10:] == ["Not a git repo", ""]


@pytest.mark.slow
def test_the_csv_format_is_kept_by_collect_and_resume(workplace: Workplace) -> None:
    workplace.spec(TWO)
    done = workplace.benchmark("--csv-format", "examples-utils")
    written = (done.log / "benchmark_results.csv").read_bytes()
    workplace.command("collect", str(done.log))
    workplace.command("benchmark", "--resume", str(done.log))
    assert (done.log / "benchmark_results.csv").read_bytes() == written
