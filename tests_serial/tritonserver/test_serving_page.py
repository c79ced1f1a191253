"""The examples and the table of the serving page agree with the wrapper."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.served_model import ROOT

PAGE = (ROOT / "docs/serving.md").read_text()
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
WRAPPER = [
    command for command in COMMANDS if command.startswith("python3 run_benchmark_with_triton_server.py")
]
OTHERS = [command for command in COMMANDS if command not in WRAPPER]


def run(words: list[str]) -> str:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("command", WRAPPER)
def test_each_command_of_the_page_chooses_the_tests_that_it_describes(command: str, tmp_path: Path) -> None:
    """Checks the selection only; the other tests of this folder run the tests."""
    words = shlex.split(command)[1:]
    out = run([sys.executable, *words, "--collect-only", "-q", "--model-repository", str(tmp_path)])
    chosen = re.findall(r"^tests_serial/tritonserver/\S+?::(\S+)$", out, re.MULTILINE)
    assert chosen
    if "--request-rate" in words:
        assert {name.partition("[")[0] for name in chosen} == {"test_request_rate"}
    elif any(word.startswith("--benchmark_only") for word in words):
        assert {name.partition("[")[0] for name in chosen} == {"test_single_model"}
    if "-k" in words:
        assert all(words[words.index("-k") + 1] in name for name in chosen)
    if "--configurations" in words:
        assert not any("resnet50" in name for name in chosen)


def test_the_other_commands_are_understood() -> None:
    (make, runner) = OTHERS
    run([*shlex.split(make), "--dry-run"])
    assert (
        run([sys.executable, *shlex.split(runner)[1:], "--dry-run"]).count("test_single_model[resnet50") == 6
    )


def test_every_option_is_described_and_every_described_option_exists() -> None:
    out = run(
        [
            sys.executable,
            str(ROOT / "run_benchmark_with_triton_server.py"),
            "--help",
            "tests_serial/tritonserver",
        ]
    )
    section = out[out.index("Triton Inference Server:") :].partition("\n\n")[0]
    options = {
        option.partition("=")[0] for option in re.findall(r"^  (--[\w-]+(?:=\w+)?)", section, re.MULTILINE)
    }
    assert set(re.findall(r"^\| `(--[\w-]+)", PAGE, re.MULTILINE)) == options


def test_models_go_next_to_the_tests_by_default_and_the_folder_is_created(tmp_path: Path) -> None:
    """Next to the tests, wherever they are: in a copy of them, so that no folder exists yet."""
    tests = tmp_path / "tests_serial/tritonserver"
    tests.mkdir(parents=True)
    for name in ("conftest.py", "test_single_model.py"):
        shutil.copy(ROOT / "tests_serial/tritonserver" / name, tests)
    (row,) = re.findall(r"^\| `--model-repository DIR` \| `(\S+)`, relative to the tests", PAGE, re.MULTILINE)
    repository = (tests / row).resolve()
    assert repository == tmp_path / "tests_serial/test_serial/tritonserver/models"
    words = [
        "run_benchmark_with_triton_server.py",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        str(tests),
    ]
    run([sys.executable, *words])
    assert repository.is_dir()


def test_without_paths_the_tests_of_the_server_are_run(tmp_path: Path) -> None:
    words = [
        "run_benchmark_with_triton_server.py",
        "--collect-only",
        "-q",
        "--model-repository",
        str(tmp_path),
    ]
    assert "test_single_model[resnet50-resnet50-RequestType.SYNC-1]" in run([sys.executable, *words])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (
            ["--latency-limit", "5"],
            "--latency-limit 5: needs an open loop; give --request-rate too",
        ),
        (["--grpc-port", "70000"], "70000 is not a port: expected a whole number from 1 to 65535"),
        (["--request-rate", "4,none"], "argument --request-rate: 'none'"),
        (["--instances", "0"], "0 is too small: expected a whole number of 1 or more"),
        (["--configurations", "resnet5"], "no such configuration in .*did you mean resnet50"),
        (["--benchmark_only=maybe"], "ignored explicit argument 'maybe'"),
        (["-k", "no_such_test"], "deselected"),
    ],
)
def test_wrong_requests_are_refused_with_option_value_and_remedy(
    words: list[str], complaint: str, tmp_path: Path
) -> None:
    command = [sys.executable, "run_benchmark_with_triton_server.py", *words, "--collect-only", "-q"]
    command += ["--model-repository", str(tmp_path), "tests_serial/tritonserver"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert re.search(complaint, done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
