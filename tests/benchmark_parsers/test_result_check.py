"""Result files are held against their schema: all problems at once, each with its place, whatever the file holds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from benchmark_parsers.result_check import MAX_PROBLEMS, check_results, result_schema
from benchmark_parsers.result_file import LARGEST_FILE_BYTES

# As the original runner writes it.
ORIGINAL = {
    "benchmark_path": "/specs/benchmarks.yml", "benchmark_name": "b", "variant_name": "b_n_1", "params": {"n": "1"},
    "command": "python3 /specs/run.py --n 1", "results": {"throughput": {"mean": 118.5},
    "latency": {"mean": None}, "total_compiling_time": {"mean": None}}, "start_time": "2023-01-05 10:00:00.000001",
    "end_time": "2023-01-05 10:01:00.000001", "compilation_end_time": "None", "test_duration": "0:01:00",
    "exitcode": 0, "log_paths": {"out": "/logs/b/stdout", "err": "/logs/b/stderr"}, "latest_checkpoint_path": None,
    "sdk_path": None, "sdk_version": None,
}  # fmt: skip
METRIC = {"value": 118.5, "unit": "samples/sec", "direction": "higher", "reduction": "mean", "parser": "driver",
          "samples": [118, 119],
          "summary": {"count": 2, "mean": 118.5, "std": 0.7, "min": 118, "p50": 118.5}}  # fmt: skip
OURS = ORIGINAL | {
    "status": "passed", "reason": None, "timed_out": False, "duration_s": 60.0, "repetition": 1, "env": {},
    "folder": "/specs", "description": "", "tags": [], "requires": [], "output": [["t", "throughput"]],
    "matches": {"throughput": 1}, "warnings": [], "machine_state": {"load_average": [0, 0, 0]},
    "machine": {"hostname": "h", "cpu": "c", "cores": 2, "memory_bytes": None, "accelerators": [],
                "architecture": "x86_64", "kernel": "6", "governor": None},
    "software": {"python": "3.11", "packages": {"numpy": "2"}, "sdk_path": None, "sdk_version": None},
    "git": {"commit": None, "dirty": None}, "repetitions": [], "schema_version": 1, "suite": "benchmarks.yml",
    "start_time_utc": "2023-01-05T10:00:00.000001+00:00", "metrics": {"throughput": METRIC}, "settings": {},
}  # fmt: skip


def checked(tmp_path: Path, text: str | bytes) -> list[str]:
    file = tmp_path / "results.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = check_results(file).problems
    assert all(str(problem).startswith(f"{file}:{problem.place}: error: ") for problem in problems)
    return [f"{problem.place}: {problem.message}" for problem in problems]


def record_with(*steps: str, value: Any) -> dict[str, Any]:
    """Our record with the value at the end of these keys; without it, if the value is Ellipsis."""
    record = copy.deepcopy(OURS)
    inner: Any = record
    for step in steps[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[steps[-1]]
    else:
        inner[steps[-1]] = value
    return record


def test_the_schema_is_one_of_2020_12():
    Draft202012Validator.check_schema(result_schema())
    assert result_schema()["$schema"].endswith("2020-12/schema")


def test_every_property_of_the_schema_is_described():
    def undescribed(schema: Any, where: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        found = []
        for name, inner in schema.get("properties", {}).items():
            if not ({"description", "$ref", "const"} & set(inner)):
                found.append(f"{where}.{name}")
            found += undescribed(inner, f"{where}.{name}")
        return found

    definitions = result_schema()["$defs"]
    # Its one property is described where it is defined.
    definitions.pop("metrics_with_values")
    assert [text for name, schema in definitions.items() for text in undescribed(schema, name)] == []


@pytest.mark.parametrize("record", [ORIGINAL, OURS], ids=["original", "ours"])
def test_records_of_the_original_runner_and_ours_are_valid(tmp_path, record):
    assert checked(tmp_path, json.dumps({"b": [record, record]})) == []
    assert checked(tmp_path, json.dumps(record)) == []
    assert list(Draft202012Validator(result_schema()).iter_errors({"b": [record]})) == []


# The place, the replacement, and the place and text of the message.
FAULTS: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
    "a missing key": (("suite",), ..., "/b/0", "suite is missing: the spec"),
    "a missing key of the original": (("results",), ..., "/b/0", "results is missing: metric to reduction"),
    "a missing figure": (("metrics", "throughput", "value"), None, "/b/0/metrics/throughput", "reason is missing"),
    "NaN": (("metrics", "throughput", "value"), float("nan"), "/b/0/metrics/throughput/value", "valid JSON number"),
    "NaN where anything goes": (("results", "x"), {"y": [float("nan")]}, "/b/0/results/x/y/0", "valid JSON number"),
    "a negative figure": (("metrics", "throughput", "value"), -1, "/b/0/metrics/throughput/value", "from 0"),
    "a negative result": (("results", "throughput"), {"mean": -1}, "/b/0/results/throughput/mean", "from 0"),
    "a negative duration": (("duration_s",), -0.5, "/b/0/duration_s", "seconds from start to end"),
    "a sample that is none": (("metrics", "throughput", "samples"), [1, "x"], "/b/0/metrics/throughput/samples/1",
                              "got 'x'"),
    "too many samples": (("metrics", "throughput", "samples"), [1] * 257, "/b/0/metrics/throughput/samples",
                         "at most 256"),
    "no unit": (("metrics", "throughput", "unit"), ..., "/b/0/metrics/throughput", "unit is missing: the unit of"),
    "a wrong direction": (("metrics", "throughput", "direction"), "up", "/b/0/metrics/throughput/direction",
                          "higher, lower"),
    "an unknown key": (("metrics", "throughput", "vaule"), 1, "/b/0/metrics/throughput", "unknown key 'vaule'"),
    "a regex without its text": (("metrics", "throughput", "parser"), "regex", "/b/0/metrics/throughput",
                                 "regexp is missing"),
    "an unknown status": (("status",), "PASSED", "/b/0/status", "one of passed, failed, skipped, not run"),
    "a machine without a CPU": (("machine", "cpu"), ..., "/b/0/machine", "cpu is missing: the CPU's model"),
    "metrics and results that differ": (("results", "throughput"), {"mean": 1}, "/b/0/metrics/throughput/value",
                                        "is 118.5, but 1 in results"),
    "another benchmark's record": (("benchmark_name",), "c", "/b/0/benchmark_name", "is 'c' under 'b'"),
    "another version": (("schema_version",), 2, "/b/0/schema_version", "got 2"),
    "a start that is no time": (("start_time_utc",), "2026-13-45T10:00:00+00:00", "/b/0/start_time_utc",
                                "expected a time: start in UTC"),
    "a start before all time": (("start_time_utc",), "0001-01-01T00:00:00+14:00", "/b/0/start_time_utc",
                                "expected a time: start in UTC"),
}  # fmt: skip


@pytest.mark.parametrize("title", FAULTS)
def test_a_fault_is_told_with_its_place_and_what_was_expected(tmp_path, title):
    steps, value, place, message = FAULTS[title]
    problems = checked(tmp_path, json.dumps({"b": [record_with(*steps, value=value)]}))
    assert any(text.startswith(f"{place}: ") and message in text for text in problems), problems


def test_a_start_that_is_no_time_is_told_of_repetitions_and_of_the_original_too(tmp_path):
    repeated = {**OURS, "repetitions": [OURS | {"start_time_utc": "2026-02-30T10:00:00+00:00"}]}
    original = ORIGINAL | {"start_time": "yesterday"}
    problems = checked(tmp_path, json.dumps({"b": [repeated, original]}))
    assert [text.partition(": ")[0] for text in problems] == [
        "/b/0/repetitions/0/start_time_utc",
        "/b/1/start_time",
    ]
    assert "got 'yesterday'" in problems[1]


@pytest.mark.parametrize("start", [None, "", "2023-01-05 10:00:00", "2023-01-05T10:00:00Z"])
def test_every_way_in_which_original_records_write_their_start_is_valid(tmp_path, start):
    assert checked(tmp_path, json.dumps({"b": [ORIGINAL | {"start_time": start}]})) == []


def test_all_problems_of_all_records_are_told_at_once(tmp_path):
    faulty = [record_with("suite", value=...), OURS, record_with("tags", value="x") | {"exitcode": "0"}]
    problems = checked(tmp_path, json.dumps({"b": faulty, "a/c~d": 3}))
    assert [text.split(": ")[0] for text in problems] == [
        "/b/0",
        "/b/2/tags",
        "/b/2/exitcode",
        "/a~1c~0d",
    ] or {text.split(": ")[0] for text in problems} == {"/b/0", "/b/2/tags", "/b/2/exitcode", "/a~1c~0d"}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "/", "is empty"),
        (" \n", "/", "is empty"),
        ('{"b": [', "1:8", "it is cut off"),
        ('{"b": [{"benchmark_na', "1:9", "it is cut off"),
        ('{"b":\n [}', "2:3", "not valid JSON"),
        ("hello", "1:1", "not valid JSON"),
        (b"\xff\xfe{}", "/", "not UTF-8"),
        ("[]", "/", "expected a mapping of benchmark name to records; got []"),
        ("{}", "/", "expected a mapping"),
        ("3", "/", "expected a mapping"),
        ('{"name": "package", "version": [1, 2]}', "/name", "expected a list of records; got 'package'"),
        ('{"b": [1e999]}', "/b/0", "got inf"),
        ("[" * 100_000, "/", "nested too deeply"),
        ('{"b": [' + '{"a":' * 900 + "1" + "}" * 900 + "]}", "/b/0", "benchmark_name is missing"),
        ("1" * 5000, "/", "is not a result file"),
    ],
)
def test_what_is_no_result_file_is_told_cleanly(tmp_path, text, place, message):
    problems = checked(tmp_path, text)
    assert any(reported.startswith(f"{place}: ") and message in reported for reported in problems), problems


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_told_wherever_it_was_cut(tmp_path_factory, share):
    text = json.dumps({"b": [OURS]}, indent=1)
    file = tmp_path_factory.mktemp("cut") / "results.json"
    file.write_text(text[: int(len(text) * share)])
    assert len(check_results(file).problems) == 1


def test_a_file_of_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "huge.json"
    with file.open("wb") as stream:
        stream.truncate(1_000_000_000)
    (problem,) = check_results(file).problems
    assert f"1000 MB; files over {LARGEST_FILE_BYTES >> 20} MiB are not read" in problem.message


def test_a_folder_or_a_missing_file_is_told(tmp_path):
    assert "is not a file" in check_results(tmp_path).problems[0].message
    assert "No such file" in check_results(tmp_path / "absent").problems[0].message


@pytest.mark.slow
def test_of_a_foreign_file_with_a_problem_in_every_element_the_first_are_told(tmp_path):
    file = tmp_path / "foreign.json"
    file.write_text(json.dumps({"a": list(range(100_000))}))
    checked = check_results(file)
    assert len(checked.problems) == MAX_PROBLEMS
    assert checked.problems[0].place == "/a/0"
