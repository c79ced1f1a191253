"""The fuzzer sees what it looks for, repeats itself for a seed, and does no harm."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from bench.fuzz.case import FOLDER, Case, load, store
from bench.fuzz.client import Client
from bench.fuzz.corpus import SPEC, LogFolder
from bench.fuzz.minimise import minimised
from bench.fuzz.source import cases

ROOT = Path(__file__).parents[1]
RECORD = json.dumps({"results": {"throughput": {"mean": 3.0}}, "status": "passed"})
RUN = LogFolder(
    SPEC, {"a/variant_result.json": RECORD, "run.json": "{}", "benchmark_results.json": "{}"}, b""
)
# Tries what a fuzzed command must not do, and prints what was refused.
ATTEMPTS = """
import subprocess, sys
from pathlib import Path
from bench.fuzz.guard import install_guard

inside, outside = map(Path, sys.argv[1:])
take = install_guard([str(inside)])
(inside / "kept").write_text("allowed")
print(subprocess.run(["echo", "allowed"], capture_output=True, text=True).stdout.strip())
for attempt in (
    lambda: (outside / "file").write_text("x"),
    lambda: (inside / ".." / outside.name / "folder").mkdir(),
    lambda: (inside / "kept").rename(outside / "kept"),
    lambda: subprocess.run(["touch", str(outside / "touched")]),
):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(type(error).__name__)
print(len(take()), len(take()))
"""


@pytest.mark.slow
def test_a_seed_gives_the_same_cases_again() -> None:
    first, again, other = (list(islice(cases(seed, RUN), 60)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert {case.kind for case in first} == {"spec", "record", "results", "output"}


def test_a_stored_case_is_the_same_when_loaded_and_keeps_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    case = Case("output", f"é\udcff\ud800\x00 {FOLDER}", "hyperfine", "1-2")
    assert load(store(case, "some fault", tmp_path, "name")) == case
    assert case.content(Path("/there")) == b"\xc3\xa9\xff\xed\xa0\x80\x00 /there"


def test_a_case_is_shortened_to_the_part_that_fails() -> None:
    text = "".join(f"line {number} of many\n" for number in range(50))
    case = Case("spec", text.replace("line 33", "line bad 33"))
    assert minimised(case, lambda shorter: "bad" in shorter.text, limit_s=60).text == "bad"


@pytest.mark.processes
def test_a_fuzzed_command_writes_and_starts_only_what_is_allowed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    command = [sys.executable, "-c", ATTEMPTS, str(inside), str(outside)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    refused = ["PermissionError"] * 3 + ["FileNotFoundError"]
    assert done.stdout.splitlines() == ["allowed", *refused, "3 0"]
    assert not list(outside.iterdir())


@pytest.mark.processes
def test_a_command_that_takes_too_long_is_ended_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text("entry: {cmd: echo}\n")
    arguments = ["list", "--spec", str(tmp_path / "spec.yml")]
    with Client(tmp_path, memory_mib=500) as client:
        assert client.run(arguments, [], limit_s=0).hung
        answer = client.run(arguments, [], limit_s=60)
    assert (answer.exitcode, answer.hung, answer.traceback, answer.violations) == (0, None, None, ())
    assert "entry" in answer.stdout


@pytest.mark.processes
def test_a_valid_case_replays_without_a_fault_and_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = store(Case("spec", SPEC), "", tmp_path, "valid")
    (tmp_path / "none.json").write_text("[]")
    done = [
        subprocess.run(
            [sys.executable, "-m", "bench.fuzz", "--replay", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        for path in (file, tmp_path / "none.json")
    ]
    assert (done[0].returncode, done[0].stdout) == (0, "no fault\n"), done[0].stderr
    assert done[1].returncode == 2
    assert "Traceback" not in done[1].stderr
